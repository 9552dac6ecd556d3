"""An issuer of tokens that a store trusts: JSON Web Tokens (RFC 7519), signed with HS256.

    issuer = Issuer(cluster.folder)
    cluster.start_stores(2, extra=(issuer.dovecot_settings(), ""))
    message = oauthbearer("alice@example.com", issuer.token("alice@example.com"))
"""
import base64
import hashlib
import hmac
import json
import secrets
import time

KEY_NAME, CLIENT = "k1", "gatehouse"
LIFE_SECONDS = 3600


class Issuer:
    def __init__(self, folder):
        self.folder = folder
        self.key = secrets.token_bytes(32)
        # Where Dovecot's fs:posix dictionary looks for it.
        keys = folder / "keys" / CLIENT / "HS256"
        keys.mkdir(parents=True)
        (keys / KEY_NAME).write_bytes(base64.b64encode(self.key))
        (folder / "oauth2.conf").write_text(
            f"introspection_mode = local\nlocal_validation_key_dict = fs:posix:prefix={folder}/keys/\n"
            "username_attribute = sub\n")

    def dovecot_settings(self):
        return (f"auth_mechanisms = plain login oauthbearer xoauth2\nauth_failure_delay = 0\n"
                f"passdb {{\n  driver = oauth2\n  mechanisms = oauthbearer xoauth2\n"
                f"  args = {self.folder}/oauth2.conf\n}}\n")

    def token(self, user, life_seconds=LIFE_SECONDS):
        now = int(time.time())
        parts = [encode_part({"alg": "HS256", "typ": "JWT", "kid": KEY_NAME}),
                 encode_part({"sub": user, "iss": "https://issuer.example.com", "azp": CLIENT,
                              "iat": now - 10, "exp": now + life_seconds})]
        signature = hmac.new(self.key, ".".join(parts).encode(), hashlib.sha256).digest()
        return ".".join([*parts, encode_octets(signature)])


def encode_octets(octets):
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def encode_part(part):
    return encode_octets(json.dumps(part).encode())


def oauthbearer(user, token):
    """RFC 7628, 3.1; base64."""
    return base64.b64encode(f"n,a={user},\1auth=Bearer {token}\1\1".encode()).decode()


def xoauth2(user, token):
    return base64.b64encode(f"user={user}\1auth=Bearer {token}\1\1".encode()).decode()
