# Copyright: (c) 2026, mutual.tls contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The option that describes an identity; its argument specification is module_utils/options.py."""

from __future__ import annotations


class ModuleDocFragment:
    """Documentation of C(identity)."""

    DOCUMENTATION = r"""
options:
  identity:
    description:
      - The private key and certificate that the store's owner presents. The key is made on this host and stays there.
      - Without it the private keys in the store are left alone.
    type: dict
    suboptions:
      alias:
        description: Where the identity is in the store. It is stored in lower case, which is how Java looks it up.
        type: str
        required: true
      subject:
        description:
          - The certificate's subject, the most specific part first, such as C(CN=ec1,O=Example).
          - Without it a new certificate has C(CN=<alias>), and any subject of an existing one is accepted.
        type: str
      subject_alt_name:
        description:
          - The certificate's alternative names, such as C(DNS:ec1.example.test) or C(IP:192.0.2.7).
          - Without it a new certificate has none, and any of an existing one are accepted.
        type: list
        elements: str
      key_type:
        description:
          - The type of the key. Without it an existing key of any of these is accepted, and a new one is RSA.
        type: str
        choices: [RSA, EC, Ed25519]
      key_size:
        description:
          - The size of an RSA key in bits, 2048 to 8192. Without it an existing one of any size is accepted, and a new one has 2048.
        type: int
      curve:
        description: The curve of an EC key. Without it an existing one on any curve is accepted, and a new one is on V(secp256r1).
        type: str
        choices: [secp256r1, secp384r1, secp521r1]
      valid_for:
        description: How long a new certificate is valid, such as C(825d), C(12h) or C(1w2d).
        type: str
        default: 825d
      renew_before:
        description: A certificate that ends sooner than this is renewed for the same key.
        type: str
        default: 30d
      generation:
        description:
          - Raising it replaces every identity of an older generation, key and all.
          - From the second generation on it is part of the subject (C(OU=generation 2)), so that it can be read from the certificate.
        type: int
        default: 1
      certificate_content:
        description:
          - A PEM certificate chain, in any order, that somebody else signed for the key in the store. It is refused when it is not for
            that key.
        type: str
      regenerate:
        description:
          - How far to go when the key is not of the wished type and size. V(partial_idempotence) replaces it, V(full_idempotence) also
            replaces an entry that cannot be read, V(fail) fails, V(never) keeps it, V(always) makes a new key at every run.
          - A raised O(identity.generation) makes a new key whatever is chosen here.
          - A store or a key that its password does not open is never replaced for that reason, whatever is chosen here.
        type: str
        choices: [never, fail, partial_idempotence, full_idempotence, always]
        default: partial_idempotence
      revoked_keys:
        description:
          - Keys that must not be used again, each as the SHA-256 (hexadecimal) of its public key (SubjectPublicKeyInfo). One of those in
            the store is replaced, whatever O(identity.regenerate) says.
        type: list
        elements: str
        default: []
      signer:
        description:
          - Who signs the certificate. With V(key) it is the identity's own key, and a certificate that somebody else signed is replaced.
            With V(any) such a one is kept, and it is an error when it is due and no other is handed in.
          - With V(authority) it is somebody else, and a certificate that is due stays as it is until a chain is handed in. What
            O(identity.csr) returns is what an authority signs. A first key gets a certificate of its own meanwhile.
          - A key that replaces another waits for its chain in a keystore beside this one, with C(.next) after its name, so that what reads
            this one goes on with what works. The two change places when the chain is handed in.
        type: str
        choices: [any, key, authority]
        default: any
      csr:
        description: Return a certificate signing request for the key, as C(identity.csr).
        type: bool
        default: false
"""
