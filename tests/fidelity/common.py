"""What the scripts share: how they find the sandbox's vaults, and how they present themselves."""

import os
import pathlib

from azure.identity import WorkloadIdentityCredential

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


def inner_code(error):
    """The code in error.innererror, as the SDK gives it."""
    return error.error.innererror["code"]
