"""The official Azure SDK for Python and the keys of the sandbox, unchanged."""

import os
import unittest
from datetime import datetime, timezone

from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.keyvault.keys import KeyClient, KeyCurveName, KeyOperation, KeyType
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from common import VAULT, client, inner_code, rsa_key


class Keys(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.client = client(KeyClient)

    def test_an_rsa_key_is_made_with_all_that_goes_with_it(self):
        expires = datetime(2040, 1, 2, tzinfo=timezone.utc)
        made = self.client.create_rsa_key("rsa", size=3072, tags={"team": "a"}, expires_on=expires)
        read = self.client.get_key("rsa")
        self.assertEqual(read.id, made.id)
        self.assertEqual(read.key_type, KeyType.rsa)
        self.assertEqual(len(read.key.n), 384)
        self.assertIsNone(read.key.d)
        self.assertEqual(rsa.RSAPublicNumbers(int.from_bytes(read.key.e, "big"), 3).e, 65537)
        self.assertEqual(read.properties.tags, {"team": "a"})
        self.assertEqual(read.properties.expires_on, expires)
        self.assertEqual(read.properties.recovery_level, "Recoverable+Purgeable")
        self.assertFalse(read.properties.exportable)
        self.assertIsNone(read.properties.managed)
        self.assertEqual(read.properties.vault_url, VAULT)
        self.assertIn(KeyOperation.wrap_key, read.key_operations)

    def test_keys_of_elliptic_curves_are_made(self):
        curves = {
            KeyCurveName.p_256: ec.SECP256R1(),
            KeyCurveName.p_256_k: ec.SECP256K1(),
            KeyCurveName.p_384: ec.SECP384R1(),
            KeyCurveName.p_521: ec.SECP521R1(),
        }
        for name, curve in curves.items():
            made = self.client.create_ec_key("ec", curve=name).key
            self.assertEqual(made.crv, name)
            # Whether it is a point of that curve.
            ec.EllipticCurvePublicNumbers(
                int.from_bytes(made.x, "big"), int.from_bytes(made.y, "big"), curve
            ).public_key()
        self.assertEqual(len(list(self.client.list_properties_of_key_versions("ec"))), 4)

    def test_a_symmetric_key_is_refused(self):
        with self.assertRaises(HttpResponseError) as refusal:
            self.client.create_oct_key("oct", size=256)
        self.assertEqual(refusal.exception.status_code, 400)

    def test_a_key_is_imported_and_only_its_public_part_given_back(self):
        jwk = rsa_key()
        self.client.import_key("imported", jwk)
        read = self.client.get_key("imported")
        self.assertEqual(read.key.n, jwk.n)
        self.assertEqual(read.key_operations, ["sign", "verify"])
        self.assertIsNone(read.key.d)

    def test_properties_are_updated_without_a_new_version(self):
        version = self.client.create_ec_key("updated").properties.version
        changed = self.client.update_key_properties("updated", key_operations=["verify"], tags={"a": "b"}, enabled=False)
        self.assertEqual(changed.properties.version, version)
        read = self.client.get_key("updated", version)
        self.assertEqual((read.key_operations, read.properties.tags), (["verify"], {"a": "b"}))
        self.assertFalse(read.properties.enabled)

    def test_lists_go_over_pages(self):
        names = {f"listed-{index:02}" for index in range(30)}
        for name in names:
            self.client.create_ec_key(name)
        listed = [item.name for item in self.client.list_properties_of_keys()]
        self.assertEqual(len(listed), len(set(listed)))
        self.assertLessEqual(names, set(listed))

    def test_a_missing_key(self):
        with self.assertRaises(ResourceNotFoundError) as refusal:
            self.client.get_key("missing")
        self.assertEqual(refusal.exception.error.code, "KeyNotFound")

    def test_a_deleted_key_is_recovered(self):
        self.client.create_ec_key("recovered")
        deleted = self.client.begin_delete_key("recovered")
        deleted.wait()
        self.assertIsNotNone(deleted.result().deleted_date)
        with self.assertRaises(ResourceExistsError) as refusal:
            self.client.create_ec_key("recovered")
        self.assertEqual(inner_code(refusal.exception), "ObjectIsDeletedButRecoverable")
        self.assertIn("recovered", [item.name for item in self.client.list_deleted_keys()])
        self.client.begin_recover_deleted_key("recovered").wait()
        self.assertEqual(self.client.get_key("recovered").name, "recovered")

    def test_a_purged_name_is_free(self):
        self.client.create_ec_key("purged")
        self.client.begin_delete_key("purged").wait()
        self.client.purge_deleted_key("purged")
        with self.assertRaises(ResourceNotFoundError):
            self.client.get_deleted_key("purged")
        self.client.create_ec_key("purged")

    def test_an_access_policy_and_a_role_that_are_missing(self):
        for variable, code, words in [
            ("FIDELITY_POLICY_VAULT_URL", "AccessDenied", "does not have keys get permission"),
            ("FIDELITY_ROLE_VAULT_URL", "ForbiddenByRbac", "Action: 'Microsoft.KeyVault/vaults/keys/read'"),
        ]:
            with self.assertRaises(HttpResponseError) as refusal:
                client(KeyClient, url=os.environ[variable]).get_key("any")
            self.assertEqual(inner_code(refusal.exception), code)
            self.assertIn(words, refusal.exception.message)
