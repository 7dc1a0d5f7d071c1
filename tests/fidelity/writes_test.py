"""What a program meets that writes: a limit that all writes share, an Azure Policy, and the phases of deletion."""

import os
import unittest
from datetime import datetime, timedelta, timezone

from azure.core.exceptions import HttpResponseError, ResourceExistsError
from azure.keyvault.certificates import CertificateClient, CertificatePolicy
from azure.keyvault.keys import KeyClient
from azure.keyvault.secrets import SecretClient

from common import client, inner_code, rsa_key


class Limit(unittest.TestCase):
    def test_new_versions_and_imports_share_a_limit_that_leaves_reads_alone(self):
        url = os.environ["FIDELITY_LIMITED_VAULT_URL"]
        secrets, keys = client(SecretClient, url=url), client(KeyClient, url=url)
        made = rsa_key()
        secrets.set_secret("one", "1")
        keys.import_key("two", made)
        with self.assertRaises(HttpResponseError) as refusal:
            secrets.set_secret("three", "3")
        self.assertEqual(refusal.exception.status_code, 429)
        self.assertEqual(refusal.exception.error.code, "Throttled")
        with self.assertRaises(HttpResponseError) as refusal:
            keys.import_key("four", made)
        self.assertEqual(refusal.exception.status_code, 429)
        self.assertEqual(secrets.get_secret("one").value, "1")
        secrets.update_secret_properties("one", tags={"a": "b"})


class Policy(unittest.TestCase):
    def test_a_secret_that_lacks_what_a_policy_asks_for_is_refused(self):
        secrets = client(SecretClient, url=os.environ["FIDELITY_GOVERNED_VAULT_URL"])
        expires = datetime.now(timezone.utc) + timedelta(days=1)
        for given in ({}, {"content_type": "text/plain"}, {"expires_on": expires}):
            with self.assertRaises(HttpResponseError) as refusal:
                secrets.set_secret("governed", "x", **given)
            self.assertEqual(refusal.exception.status_code, 403)
            self.assertEqual(inner_code(refusal.exception), "ForbiddenByGovernancePolicy")
        secrets.set_secret("governed", "x", content_type="text/plain", expires_on=expires)
        self.assertEqual(secrets.get_secret("governed").properties.content_type, "text/plain")


class Phases(unittest.TestCase):
    """Deletion and recovery take three seconds here."""

    url = os.environ["FIDELITY_SLOW_VAULT_URL"]

    def go_through(self, write, delete, recover, read):
        write()
        deletion = delete()
        with self.assertRaises(ResourceExistsError) as refusal:
            write()
        self.assertEqual(inner_code(refusal.exception), "ObjectIsBeingDeleted")
        deletion.wait()
        with self.assertRaises(ResourceExistsError) as refusal:
            write()
        self.assertEqual(inner_code(refusal.exception), "ObjectIsDeletedButRecoverable")
        recovery = recover()
        with self.assertRaises(ResourceExistsError) as refusal:
            write()
        self.assertEqual(inner_code(refusal.exception), "ObjectIsBeingRecovered")
        recovery.wait()
        read()
        write()

    def test_a_secret_that_is_being_deleted_or_recovered(self):
        secrets = client(SecretClient, url=self.url)
        self.go_through(
            lambda: secrets.set_secret("phases", "x"),
            lambda: secrets.begin_delete_secret("phases"),
            lambda: secrets.begin_recover_deleted_secret("phases"),
            lambda: secrets.get_secret("phases"),
        )

    def test_a_key_that_is_being_deleted_or_recovered(self):
        keys = client(KeyClient, url=self.url)
        self.go_through(
            lambda: keys.create_ec_key("phases-key"),
            lambda: keys.begin_delete_key("phases-key"),
            lambda: keys.begin_recover_deleted_key("phases-key"),
            lambda: keys.get_key("phases-key"),
        )

    def test_a_certificate_that_is_being_deleted_or_recovered(self):
        certificates = client(CertificateClient, url=self.url)
        self.go_through(
            lambda: certificates.begin_create_certificate("phases-cert", CertificatePolicy.get_default()).wait(),
            lambda: certificates.begin_delete_certificate("phases-cert"),
            lambda: certificates.begin_recover_deleted_certificate("phases-cert"),
            lambda: certificates.get_certificate("phases-cert"),
        )
