import assert from "node:assert/strict";
import { encodePath, isOurHost, readTarget } from "../../../src/app/http/target.ts";

const read = (path: string) => readTarget(new URL(`http://localhost${path}`));

Deno.test("readTarget() gives the names of a path, decoded", () => {
  assert.deepEqual(read("/")?.names, []);
  assert.deepEqual(read("/a%20b/%3Cc%3E%23%3F")?.names, ["a b", "<c>#?"]);
  assert.deepEqual([read("/a")?.isFolder, read("/a/")?.isFolder, read("/")?.isFolder], [
    ...[false, true, true],
  ]);
  assert.equal(read("/a?version=3")?.query.get("version"), "3");
});

for (
  const path of ["//host", "/a//b", "/a%2fb", "/a%5cb", "/a%00", "/%zz", "/%c0%af", "/%ff"].concat(
    `/${"a".repeat(9000)}`,
  )
) {
  Deno.test(`readTarget() refuses ${path.slice(0, 20)}`, () => {
    assert.equal(read(path), undefined);
  });
}

Deno.test("readTarget() never leads upwards, however that is written", () => {
  for (const path of ["/../a", "/%2e%2e/a", "/x/%2E%2e/a", "/x/../a"]) {
    assert.deepEqual(read(path)?.names, ["a"], path);
  }
});

Deno.test("encodePath() undoes readTarget(), with one slash before it", () => {
  for (const path of ["/", "/a%20b/", "/%3Cc%3E%23%3F", "/a/b/"]) {
    const { names, isFolder } = read(path)!;
    assert.equal(encodePath(names, isFolder), path);
  }
});

/** The Host of a request to port 8080, and whether it is answered. Source: spec of serving, 3.3. */
const HOSTS: readonly (readonly [string | null, boolean])[] = [
  ["localhost:8080", true],
  ["LOCALHOST:8080", true],
  ["localhost.:8080", true],
  ["127.0.0.1:8080", true],
  ["[::1]:8080", true],
  ["192.0.2.7:8080", true],
  ["mine.example", true],
  ["mine.example:443", true],
  ["Mine.Example.:443", true],
  ["localhost", false],
  ["localhost:80", false],
  ["127.0.0.1:81", false],
  ["evil.example:8080", false],
  ["evil.example", false],
  ["127.0.0.1.evil.example:8080", false],
  ["localhost:8080:8080", false],
  ["localhost:", false],
  ["", false],
  [null, false],
];

for (const [host, expected] of HOSTS) {
  Deno.test(`isOurHost("${host}") is ${expected}`, () => {
    assert.equal(isOurHost(host, 8080, ["mine.example"]), expected);
  });
}

Deno.test("isOurHost() takes the usual port for granted", () => {
  assert.ok(isOurHost("localhost", 80, []));
});
