/**
 * Native crypto for packages written against sodium-native 2, whose addon needs a compiler. Version
 * 3 comes with prebuilt binaries and differs in the two calls below.
 */
const { Buffer } = require("node:buffer");
const sodium = require("sodium-native-3");

/** Version 2 keeps the state of a running keystream in an object, version 3 in a buffer. */
function openKeystream(nonce, key) {
  const state = Buffer.alloc(sodium.crypto_stream_xor_STATEBYTES);
  sodium.crypto_stream_xor_init(state, nonce, key);
  return {
    update: (output, input) => sodium.crypto_stream_xor_update(state, output, input),
    final: () => sodium.crypto_stream_xor_final(state),
  };
}

/** hyperdrive passes a whole 64-byte secret key; version 3 insists on the 32 bytes that count. */
function deriveFromKey(output, id, context, key) {
  sodium.crypto_kdf_derive_from_key(output, id, context, key.subarray(0, 32));
}

module.exports = {
  ...sodium,
  crypto_stream_xor_instance: openKeystream,
  crypto_kdf_derive_from_key: deriveFromKey,
};
