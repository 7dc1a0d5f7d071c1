"""The official Azure SDK for Python against the sandbox, unchanged.

It knows no more than a program in a cluster does: AZURE_* variables, a token file and a vault's URL;
HTTPS_PROXY, SSL_CERT_FILE and REQUESTS_CA_BUNDLE lead it to the sandbox.
"""

import os
import unittest
from datetime import datetime, timezone

from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
)
from azure.identity import (
    CertificateCredential,
    ClientAssertionCredential,
    ClientSecretCredential,
    ManagedIdentityCredential,
    WorkloadIdentityCredential,
)
from azure.keyvault.secrets import SecretClient

from common import ASSERTIONS, CLIENT, TENANT, VAULT, assertion, client, inner_code


def vault(credential=None, url=VAULT):
    return client(SecretClient, credential, url)


class Credentials(unittest.TestCase):
    def test_a_workload_identity_reads_its_token_from_the_file(self):
        self.assertEqual(vault().get_secret("db-password").value, "correct horse")

    def test_an_assertion_is_exchanged(self):
        credential = ClientAssertionCredential(TENANT, CLIENT, lambda: assertion("good"))
        token = credential.get_token("https://vault.azure.net/.default")
        self.assertGreater(token.expires_on, datetime.now(timezone.utc).timestamp())
        self.assertEqual(vault(credential).get_secret("db-password").value, "correct horse")

    def test_a_client_secret_is_exchanged(self):
        credential = ClientSecretCredential(TENANT, CLIENT, "s3cret")
        self.assertEqual(vault(credential).get_secret("db-password").value, "correct horse")

    def test_a_certificate_signs_for_the_application(self):
        credential = CertificateCredential(TENANT, CLIENT, str(ASSERTIONS / "certificate.pem"))
        self.assertEqual(vault(credential).get_secret("db-password").value, "correct horse")

    def test_a_certificate_that_is_not_registered_is_refused(self):
        with self.assertRaises(ClientAuthenticationError) as refusal:
            credential = CertificateCredential(TENANT, CLIENT, str(ASSERTIONS / "other-certificate.pem"))
            credential.get_token("https://vault.azure.net/.default")
        self.assertIn("AADSTS700027", str(refusal.exception))

    def test_a_managed_identity_asks_the_machine(self):
        self.assertEqual(vault(ManagedIdentityCredential()).get_secret("db-password").value, "correct horse")
        named = ManagedIdentityCredential(client_id=CLIENT)
        self.assertEqual(vault(named).get_secret("db-password").value, "correct horse")

    def refused(self, name, client=CLIENT, tenant=TENANT):
        with self.assertRaises(ClientAuthenticationError) as refusal:
            credential = ClientAssertionCredential(tenant, client, lambda: assertion(name))
            credential.get_token("https://vault.azure.net/.default")
        return str(refusal.exception)

    def test_a_wrong_audience_is_refused(self):
        self.assertIn("AADSTS700212", self.refused("wrong-audience"))

    def test_a_wrong_subject_is_refused(self):
        self.assertIn("AADSTS700213", self.refused("wrong-subject"))

    def test_an_expired_token_is_refused(self):
        self.assertIn("AADSTS700024", self.refused("expired"))

    def test_a_forged_token_is_refused(self):
        self.assertIn("AADSTS7000272", self.refused("forged"))

    def test_an_unknown_application_is_refused(self):
        self.assertIn("AADSTS700016", self.refused("good", client="99999999-0000-4000-8000-000000000009"))

    def test_an_unknown_tenant_is_refused(self):
        tenant = "99999999-0000-4000-8000-000000000009"
        self.assertIn("AADSTS90002", self.refused("good", tenant=tenant))

    def test_a_wrong_client_secret_is_refused(self):
        with self.assertRaises(ClientAuthenticationError) as refusal:
            vault(ClientSecretCredential(TENANT, CLIENT, "guess")).get_secret("db-password")
        self.assertIn("AADSTS7000215", str(refusal.exception))


class Secrets(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.client = vault()

    def test_a_secret_is_set_with_all_that_goes_with_it(self):
        expires = datetime(2040, 1, 2, tzinfo=timezone.utc)
        made = self.client.set_secret(
            "made", "value", content_type="text/plain", tags={"team": "a"}, expires_on=expires
        )
        read = self.client.get_secret("made")
        self.assertEqual(read.value, "value")
        self.assertEqual(read.properties.version, made.properties.version)
        self.assertEqual(read.properties.content_type, "text/plain")
        self.assertEqual(read.properties.tags, {"team": "a"})
        self.assertEqual(read.properties.expires_on, expires)
        self.assertTrue(read.properties.enabled)
        self.assertEqual(read.properties.recovery_level, "Recoverable+Purgeable")
        self.assertEqual(read.properties.recoverable_days, 90)
        self.assertIsNotNone(read.properties.created_on)
        self.assertEqual(read.properties.vault_url, VAULT)

    def test_each_value_has_a_version(self):
        first = self.client.set_secret("versioned", "one").properties.version
        second = self.client.set_secret("versioned", "two").properties.version
        self.assertNotEqual(first, second)
        self.assertEqual(self.client.get_secret("versioned").value, "two")
        self.assertEqual(self.client.get_secret("versioned", first).value, "one")
        listed = {item.version for item in self.client.list_properties_of_secret_versions("versioned")}
        self.assertEqual(listed, {first, second})

    def test_lists_go_over_pages(self):
        names = {f"listed-{index:02}" for index in range(60)}
        for name in names:
            self.client.set_secret(name, "x")
        listed = [item.name for item in self.client.list_properties_of_secrets()]
        self.assertEqual(len(listed), len(set(listed)))
        self.assertLessEqual(names, set(listed))
        pages = self.client.list_properties_of_secrets(max_page_size=7).by_page()
        self.assertEqual(len(list(next(pages))), 7)

    def test_properties_are_updated_without_a_new_version(self):
        version = self.client.set_secret("updated", "x").properties.version
        changed = self.client.update_secret_properties("updated", content_type="application/json", tags={"a": "b"})
        self.assertEqual(changed.version, version)
        self.assertEqual(changed.content_type, "application/json")
        self.assertEqual(self.client.get_secret("updated").properties.tags, {"a": "b"})

    def test_a_disabled_secret_is_refused(self):
        self.client.set_secret("disabled", "x")
        self.client.update_secret_properties("disabled", enabled=False)
        with self.assertRaises(HttpResponseError) as refusal:
            self.client.get_secret("disabled")
        self.assertEqual(refusal.exception.status_code, 403)
        self.assertEqual(inner_code(refusal.exception), "SecretDisabled")
        self.client.update_secret_properties("disabled", enabled=True)
        self.assertEqual(self.client.get_secret("disabled").value, "x")

    def test_a_missing_secret_is_not_found(self):
        with self.assertRaises(ResourceNotFoundError) as refusal:
            self.client.get_secret("missing")
        self.assertEqual(refusal.exception.error.code, "SecretNotFound")

    def test_a_bad_name_is_refused(self):
        with self.assertRaises(HttpResponseError) as refusal:
            self.client.get_secret("with_underscore")
        self.assertEqual(refusal.exception.status_code, 400)
        self.assertEqual(refusal.exception.error.code, "BadParameter")

    def test_a_deleted_secret_is_recovered(self):
        self.client.set_secret("recovered", "x")
        deleted = self.client.begin_delete_secret("recovered")
        deleted.wait()
        self.assertIsNotNone(deleted.result().deleted_date)
        with self.assertRaises(ResourceNotFoundError):
            self.client.get_secret("recovered")
        with self.assertRaises(ResourceExistsError) as refusal:
            self.client.set_secret("recovered", "y")
        self.assertEqual(inner_code(refusal.exception), "ObjectIsDeletedButRecoverable")
        self.assertIn("recovered", [item.name for item in self.client.list_deleted_secrets()])
        self.client.begin_recover_deleted_secret("recovered").wait()
        self.assertEqual(self.client.get_secret("recovered").value, "x")

    def test_a_purged_name_is_free(self):
        self.client.set_secret("purged", "x")
        self.client.begin_delete_secret("purged").wait()
        self.client.purge_deleted_secret("purged")
        with self.assertRaises(ResourceNotFoundError):
            self.client.get_deleted_secret("purged")
        self.assertEqual(self.client.set_secret("purged", "y").value, "y")


class Access(unittest.TestCase):
    def refused(self, url):
        with self.assertRaises(HttpResponseError) as refusal:
            vault(url=url).get_secret("db-password")
        self.assertEqual(refusal.exception.status_code, 403)
        return refusal.exception

    def test_an_access_policy_that_is_missing(self):
        refusal = self.refused(os.environ["FIDELITY_POLICY_VAULT_URL"])
        self.assertEqual(inner_code(refusal), "AccessDenied")
        self.assertIn("does not have secrets get permission", refusal.message)

    def test_a_role_that_is_missing(self):
        refusal = self.refused(os.environ["FIDELITY_ROLE_VAULT_URL"])
        self.assertEqual(inner_code(refusal), "ForbiddenByRbac")
        self.assertIn("Assignment: (not found)", refusal.message)

    def test_a_vault_of_another_tenant(self):
        # The SDK follows the challenge to the vault's tenant, where the application is unknown.
        credential = ClientAssertionCredential(
            TENANT, CLIENT, lambda: assertion("good"), additionally_allowed_tenants=["*"]
        )
        with self.assertRaises(ClientAuthenticationError) as refusal:
            vault(credential, os.environ["FIDELITY_FOREIGN_VAULT_URL"]).get_secret("db-password")
        self.assertIn("AADSTS700016", str(refusal.exception))

    def test_a_throttled_vault(self):
        with self.assertRaises(HttpResponseError) as refusal:
            vault(url=os.environ["FIDELITY_THROTTLED_VAULT_URL"]).get_secret("db-password")
        self.assertEqual(refusal.exception.status_code, 429)
        self.assertEqual(refusal.exception.error.code, "Throttled")
        self.assertEqual(refusal.exception.response.headers["Retry-After"], "2")
