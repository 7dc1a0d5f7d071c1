"""The official Azure SDK for Python and the certificates of the sandbox, unchanged."""

import base64
import os
import unittest
from datetime import datetime, timedelta, timezone

from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.keyvault.certificates import CertificateClient, CertificateContentType, CertificatePolicy
from azure.keyvault.keys import KeyClient
from azure.keyvault.secrets import SecretClient
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import pkcs12

from common import client, inner_code


def self_signed():
    """A certificate that was made elsewhere, and its key."""
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "imported.example.com")])
    now = datetime.now(timezone.utc)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(90))
    names = x509.SubjectAlternativeName([x509.DNSName("imported.example.com")])
    return key, builder.add_extension(names, critical=False).sign(key, hashes.SHA256())


def policy(**changes):
    return CertificatePolicy("Self", subject="CN=www.example.com", san_dns_names=["www.example.com"], **changes)


class Certificates(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.client = client(CertificateClient)
        cls.keys = client(KeyClient)
        cls.secrets = client(SecretClient)

    def create(self, name, **changes):
        settings = {"key_type": "EC", "key_curve_name": "P-256", **changes}
        return self.client.begin_create_certificate(name, policy(**settings)).result()

    def test_the_sdks_own_default_policy_makes_a_certificate(self):
        made = self.client.begin_create_certificate("default", CertificatePolicy.get_default()).result()
        self.assertEqual(made.policy.key_type, "RSA")
        self.assertEqual(made.policy.key_size, 2048)
        parsed = x509.load_der_x509_certificate(bytes(made.cer))
        self.assertEqual(parsed.subject.rfc4514_string(), "CN=DefaultPolicy")
        self.assertEqual(made.properties.x509_thumbprint, parsed.fingerprint(hashes.SHA1()))
        self.assertEqual(made.properties.expires_on, parsed.not_valid_after_utc)
        self.assertEqual(made.properties.not_before, parsed.not_valid_before_utc)

    def test_a_certificate_is_a_key_and_a_secret_too(self):
        made = self.create("threefold", validity_in_months=2, enabled=True)
        parsed = x509.load_der_x509_certificate(bytes(made.cer))
        key = self.keys.get_key("threefold", made.properties.version)
        self.assertEqual(key.id, made.key_id)
        self.assertTrue(key.properties.managed)
        point = parsed.public_key().public_numbers()
        self.assertEqual((int.from_bytes(key.key.x, "big"), int.from_bytes(key.key.y, "big")), (point.x, point.y))

        secret = self.secrets.get_secret("threefold", made.properties.version)
        self.assertEqual(secret.id, made.secret_id)
        self.assertEqual(secret.properties.key_id, made.key_id)
        self.assertEqual(secret.properties.content_type, "application/x-pkcs12")
        private, certificate, chain = pkcs12.load_key_and_certificates(base64.b64decode(secret.value), None)
        self.assertEqual((certificate, chain), (parsed, []))
        self.assertEqual(private.public_key().public_numbers(), point)
        with self.assertRaises(HttpResponseError) as refusal:
            self.secrets.begin_delete_secret("threefold")
        self.assertEqual(inner_code(refusal.exception), "SecretManagedByKeyVault")

    def test_the_secret_is_pem_where_the_policy_says_so(self):
        made = self.create("in-pem", content_type=CertificateContentType.pem)
        value = self.secrets.get_secret("in-pem").value.encode()
        self.assertEqual(x509.load_pem_x509_certificate(value).public_bytes(serialization.Encoding.DER), bytes(made.cer))
        serialization.load_pem_private_key(value, None)

    def test_a_pfx_with_a_password_is_imported(self):
        key, certificate = self_signed()
        encryption = serialization.BestAvailableEncryption(b"s3cret")
        pfx = pkcs12.serialize_key_and_certificates(b"name", key, certificate, None, encryption)
        made = self.client.import_certificate("from-pfx", pfx, password="s3cret", tags={"team": "a"})
        self.assertEqual(x509.load_der_x509_certificate(bytes(made.cer)), certificate)
        self.assertEqual(made.properties.tags, {"team": "a"})
        self.assertEqual(made.policy.issuer_name, "Unknown")
        self.assertEqual(made.policy.san_dns_names, ["imported.example.com"])
        value = self.secrets.get_secret("from-pfx").value
        self.assertEqual(pkcs12.load_key_and_certificates(base64.b64decode(value), None)[1], certificate)
        with self.assertRaises(HttpResponseError) as refusal:
            self.client.import_certificate("from-pfx", pfx, password="guess")
        self.assertEqual(refusal.exception.error.code, "BadParameter")

    def test_pem_is_imported(self):
        key, certificate = self_signed()
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ) + certificate.public_bytes(serialization.Encoding.PEM)
        made = self.client.import_certificate(
            "from-pem", pem, policy=CertificatePolicy(content_type=CertificateContentType.pem)
        )
        self.assertEqual(x509.load_der_x509_certificate(bytes(made.cer)), certificate)
        self.assertEqual(self.secrets.get_secret("from-pem").value.encode(), pem)

    def test_the_policy_and_the_operation_are_read(self):
        self.create("policy", key_curve_name="P-384")
        read = self.client.get_certificate_policy("policy")
        self.assertEqual((read.subject, read.key_curve_name), ("CN=www.example.com", "P-384"))
        self.assertEqual(read.san_dns_names, ["www.example.com"])
        changed = self.client.update_certificate_policy("policy", policy(key_type="EC", validity_in_months=6))
        self.assertEqual(changed.validity_in_months, 6)
        operation = self.client.get_certificate_operation("policy")
        self.assertEqual((operation.status, operation.issuer_name), ("completed", "Self"))
        x509.load_der_x509_csr(bytes(operation.csr))
        self.client.delete_certificate_operation("policy")
        with self.assertRaises(ResourceNotFoundError):
            self.client.get_certificate_operation("policy")

    def test_versions_lists_and_properties(self):
        first = self.create("reissued").properties.version
        second = self.create("reissued").properties.version
        listed = {item.version for item in self.client.list_properties_of_certificate_versions("reissued")}
        self.assertEqual(listed, {first, second})
        self.assertEqual(self.client.get_certificate_version("reissued", first).properties.version, first)
        self.assertEqual(self.client.get_certificate("reissued").properties.version, second)
        self.assertIn("reissued", [item.name for item in self.client.list_properties_of_certificates()])
        self.client.update_certificate_properties("reissued", tags={"a": "b"}, enabled=False)
        read = self.client.get_certificate("reissued").properties
        self.assertEqual((read.tags, read.enabled), ({"a": "b"}, False))

    def test_a_missing_certificate(self):
        with self.assertRaises(ResourceNotFoundError) as refusal:
            self.client.get_certificate("missing")
        self.assertEqual(refusal.exception.error.code, "CertificateNotFound")

    def test_a_deleted_certificate_is_recovered_and_purged_with_its_key_and_secret(self):
        self.create("restored")
        deleted = self.client.begin_delete_certificate("restored")
        deleted.wait()
        self.assertIsNotNone(deleted.result().deleted_on)
        for read in (self.keys.get_key, self.secrets.get_secret):
            with self.assertRaises(ResourceNotFoundError):
                read("restored")
        with self.assertRaises(ResourceExistsError) as refusal:
            self.create("restored")
        self.assertEqual(inner_code(refusal.exception), "ObjectIsDeletedButRecoverable")
        self.assertIn("restored", [item.name for item in self.client.list_deleted_certificates()])
        self.client.begin_recover_deleted_certificate("restored").wait()
        self.assertEqual(self.keys.get_key("restored").name, "restored")
        self.client.begin_delete_certificate("restored").wait()
        self.client.purge_deleted_certificate("restored")
        self.assertEqual(self.secrets.set_secret("restored", "free").value, "free")

    def test_an_access_policy_and_a_role_that_are_missing(self):
        for variable, code, words in [
            ("FIDELITY_POLICY_VAULT_URL", "AccessDenied", "does not have certificates get permission"),
            ("FIDELITY_ROLE_VAULT_URL", "ForbiddenByRbac", "Action: 'Microsoft.KeyVault/vaults/certificates/read'"),
        ]:
            with self.assertRaises(HttpResponseError) as refusal:
                client(CertificateClient, url=os.environ[variable]).get_certificate("any")
            self.assertEqual(inner_code(refusal.exception), code)
            self.assertIn(words, refusal.exception.message)
