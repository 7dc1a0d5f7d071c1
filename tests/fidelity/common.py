"""What the scripts share: how they find the sandbox's vaults, and how they present themselves."""

import os
import pathlib

from azure.identity import WorkloadIdentityCredential
from azure.keyvault.keys import JsonWebKey
from cryptography.hazmat.primitives.asymmetric import rsa

TENANT = os.environ["AZURE_TENANT_ID"]
CLIENT = os.environ["AZURE_CLIENT_ID"]
VAULT = os.environ["FIDELITY_VAULT_URL"]
ASSERTIONS = pathlib.Path(os.environ["FIDELITY_ASSERTIONS"])


def assertion(name):
    """A service-account token that the test has signed."""
    return (ASSERTIONS / name).read_text()


def client(kind, credential=None, url=VAULT):
    """A client of a kind for a vault. It does not retry: an error must be seen as it comes."""
    return kind(url, credential or WorkloadIdentityCredential(), retry_total=0)


def number(value):
    """A number as a JSON web key has it."""
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


def rsa_key():
    """A new RSA key, with its private part."""
    private = rsa.generate_private_key(65537, 2048).private_numbers()
    public = private.public_numbers
    return JsonWebKey(
        kty="RSA", key_ops=["sign", "verify"], n=number(public.n), e=number(public.e), d=number(private.d),
        p=number(private.p), q=number(private.q), dp=number(private.dmp1), dq=number(private.dmq1),
        qi=number(private.iqmp),
    )


def inner_code(error):
    """The code in error.innererror, as the SDK gives it."""
    return error.error.innererror["code"]
