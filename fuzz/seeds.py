"""Writes the inputs that fuzzing starts from, made of the cases of the tests and of what earlier runs found: each target's into
`corpus/TARGET` beside it; and the dictionaries of the names of functions and fields.

With the arguments `keep TARGET FOLDER` it keeps the inputs of that folder which the cases do not have, in `found/TARGET`: a line each,
in base64.

What a target takes is said where it is defined, in the modules `fuzzing` of the crates.
"""

import base64
import hashlib
import json
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
TESTS = ROOT / "tests"
# A whole document of the cases is too long for inputs that are to be short.
LONGEST = 4096
# What is found is kept where it is short.
LONGEST_KEPT = 256


def conformance(crate):
    """The folder of a crate's cases."""
    return ROOT / "crates" / crate / "tests" / "conformance"


def cases(crate, path="cases.json"):
    return json.loads((conformance(crate) / path).read_text(encoding="utf-8"))


def values(data):
    """The texts in the data of a template's case."""
    if isinstance(data, str):
        yield data
    elif isinstance(data, dict):
        for value in data.values():
            yield from values(value)
    elif isinstance(data, list):
        for value in data:
            yield from values(value)


def templates():
    for path in ["template/cases.json", "functions/text.json", "eso/cases.json"]:
        for case in cases("go-template", path):
            value = next(values(case.get("data")), "")
            for text in (text if isinstance(text, str) else text["template"] for text in case["templates"]):
                # The data of the cases has other keys; here there is `v` alone.
                yield re.sub(r"(?<![\w)])\.[a-z]\w*", ".v", text), value


def manifests():
    """The texts of all manifests in the repository."""
    folders = [ROOT / "examples", TESTS / "integration" / "secrets", TESTS / "fixtures"]
    for folder in folders:
        for path in sorted(folder.rglob("*.yaml")):
            yield from path.read_text(encoding="utf-8").split("\n---\n")


def objects():
    """Objects in JSON, as the API server has them: those of the tests of the schema and of the webhook."""
    found = re.compile(r"json!\((\{.*?\n *\})\)", re.DOTALL)
    for path in sorted([*ROOT.glob("src/validate/**/*.rs"), *ROOT.glob("src/webhook/*.rs"), *ROOT.glob("tests/**/*.rs")]):
        for text in found.findall(path.read_text(encoding="utf-8")):
            try:
                value = json.loads(re.sub(r",(\s*[}\]])", r"\1", text))
            except ValueError:
                continue
            if "spec" in value:
                yield json.dumps(value)
    yield from FIELDS


# One of each field.
FIELDS = [
    json.dumps({"metadata": {"name": "a"}, "spec": spec})
    for spec in [
        {
            "refreshInterval": "1h",
            "refreshPolicy": "Periodic",
            "secretStoreRef": {"name": "vault", "kind": "ClusterSecretStore"},
            "target": {
                "name": "t",
                "creationPolicy": "Owner",
                "deletionPolicy": "Retain",
                "template": {
                    "type": "Opaque",
                    "engineVersion": "v2",
                    "mergePolicy": "Merge",
                    "metadata": {"labels": {"a": "{{ .a }}"}, "annotations": {"b": "c"}},
                    "data": {"x": "{{ .a | upper }}"},
                    "templateFrom": [
                        {"target": "Data", "literal": "k: {{ .a }}"},
                        {"configMap": {"name": "c", "items": [{"key": "k", "templateAs": "KeysAndValues"}]}},
                    ],
                },
            },
            "data": [
                {
                    "secretKey": "a",
                    "remoteRef": {
                        "key": "secret/b",
                        "property": "c.d",
                        "version": "1",
                        "decodingStrategy": "Base64",
                        "metadataPolicy": "Fetch",
                        "conversionStrategy": "Unicode",
                    },
                }
            ],
            "dataFrom": [
                {
                    "extract": {"key": "k"},
                    "rewrite": [
                        {"regexp": {"source": "(.*)_(.*)", "target": "$2-$1"}},
                        {"transform": {"template": "{{ .value | upper }}"}},
                        {"merge": {"strategy": "JSON", "into": "all", "conflictPolicy": "Ignore", "priority": ["a"]}},
                    ],
                },
                {"find": {"name": {"regexp": "^a"}, "tags": {"t": "v"}, "path": "p"}},
            ],
            "syncWindows": {"kind": "allow", "windows": [{"schedule": "0 1-5/2 * jan sun", "duration": "8h"}]},
        },
        {
            "target": {
                "manifest": {"apiVersion": "argoproj.io/v1alpha1", "kind": "Application"},
                "template": {"templateFrom": [{"target": "spec.a[1].b", "literal": "x: {{ .a }}"}]},
            },
            "data": [{"secretKey": "a", "remoteRef": {"key": "b"}, "sourceRef": {"storeRef": {"name": "v"}}}],
        },
        {
            "controller": "c",
            "refreshInterval": 60,
            "retrySettings": {"maxRetries": 3, "retryInterval": "1s"},
            "provider": {
                "azurekv": {
                    "vaultUrl": "https://a.vault.azure.net",
                    "tenantId": "t",
                    "authType": "ServicePrincipal",
                    "environmentType": "PublicCloud",
                    "authSecretRef": {
                        "clientId": {"name": "n", "key": "k"},
                        "clientSecret": {"name": "n", "key": "k", "namespace": "s"},
                    },
                    "serviceAccountRef": {"name": "s", "audiences": ["a"]},
                }
            },
            "conditions": [
                {"namespaces": ["a"], "namespaceRegexes": ["team-.*"]},
                {"namespaceSelector": {"matchLabels": {"a": "b"}, "matchExpressions": [{"key": "k", "operator": "In", "values": ["v"]}]}},
            ],
        },
        {"provider": {"fake": {"data": [{"key": "k", "value": "v", "version": "1", "valueMap": {"a": "b"}}]}}},
    ]
]

WORDS = """1h30m
-1.5ms
8h
0 1-5/2 * jan sun
*/5 * * * *
@every 90m
@daily
spec.a[1].b
data["a.b"].c
spec.template.metadata.labels
Data
Annotations"""

REFUSALS = [
    b'{"error":{"code":"Forbidden","message":"Caller: oid=1;iss=x\\r\\nClient address: 1.2.3.4","innererror":{"code":"ForbiddenByPolicy"}}}',
    b'{"error":"invalid_client","error_description":"AADSTS7000215: Invalid.\\r\\nTrace ID: a","error_codes":[7000215]}',
    b'{"value":"v","id":"https://a.vault.azure.net/secrets/x/1","attributes":{"enabled":true,"exp":1},"tags":{"a":"b"}}',
    b'{"cer":"AAAA","id":"https://a.vault.azure.net/certificates/x/1","attributes":{"enabled":false}}',
    b'{"key":{"kid":"https://a.vault.azure.net/keys/x/1","kty":"RSA","n":"AQ","e":"AQAB","key_ops":["sign"]},"attributes":{}}',
    b'{"value":[{"id":"https://a.vault.azure.net/secrets/x","attributes":{"enabled":true}}],"nextLink":"https://a/b"}',
]


def gjson():
    for case in cases("gjson-path"):
        document = case.get("document", "").encode() or base64.b64decode(case.get("document_base64", ""))
        for path in case["paths"]:
            yield path.encode() + b"\0" + document


def regexp():
    for case in cases("go-regexp"):
        texts, replacements = case["texts"], case.get("replacements", ["$1"])
        for at, pattern in enumerate(case["patterns"]):
            parts = [pattern, texts[at % len(texts)], replacements[at % len(replacements)]]
            yield "\0".join(parts).encode()


def render():
    for at, (template, value) in enumerate(templates()):
        yield bytes([at % 8]) + "\0".join(["k: " + template, template, "spec.a[1].b", value]).encode()
    for case in cases("go-template", "eso/cases.json"):
        for text in (text for text in case.get("documents", []) if isinstance(text, str)):
            yield b"\4" + text.encode()


def yaml():
    for case in cases("go-template", "eso/cases.json"):
        yield from (text.encode() for text in case.get("documents", []) if isinstance(text, str))
        yield from lines(values(case.get("data")))
    yield from (text.encode() for text in manifests())


def files():
    for path in sorted((conformance("go-template") / "eso" / "testdata").iterdir()):
        if path.suffix in {".pem", ".crt", ".key", ".pub", ".pfx"}:
            yield path.read_bytes()


def der(content):
    """What is in the first block of PEM."""
    body = re.search(rb"-----BEGIN [^\n]*\n(.*?)-----END", content, re.DOTALL)
    return base64.b64decode(body.group(1)) if body else content


def keys():
    readers = 17
    for at, content in enumerate(files()):
        for reader in range(readers):
            if (at + reader) % 3 == 0:
                yield bytes([reader, 0]) + content
        yield bytes([at % readers, 1 + at % 5]) + der(content)


def chosen(sizes):
    """Inputs whose bytes choose: all functions, each with a few arguments."""
    for function in range(240):
        for size in sizes:
            yield bytes([*size, 0, function, 2, function % 7, function % 11, 0, 3, 0, function, 1, 2, 3, 4, 5])


def webhook():
    for at, text in enumerate(objects()):
        yield bytes([at % 3]) + text.encode()
        yield bytes([at % 3]) + text.encode() + b"\0" + text.encode()
        yield b"\3" + text.encode()


GENERATORS = "generators.external-secrets.io/v1alpha1"


def minting():
    """ExternalSecrets with generators, and targets that were written for them, by ESO, or by somebody else."""
    specs = {
        "Password": {"length": 12, "secretKeys": ["a", "b"], "symbolCharacters": "!?", "symbols": 2, "noUpper": True, "encoding": "hex"},
        "UUID": {},
        "SSHKey": {"keyType": "ed25519", "comment": "c"},
        "Fake": {"data": {"a": "b"}, "controller": "c"},
        "ACRAccessToken": {"registry": "a.azurecr.io", "auth": {"managedIdentity": {}}},
        "ClusterGenerator": {"kind": "Password", "generator": {"passwordSpec": {"length": 9}}},
    }
    record = {"entries": [{"entry": "0", "keys": ["a"], "made": "2023-01-01T00:00:00Z"}], "forced": "1", "rendered": {"of": "x", "keys": ["a"], "texts": "t"}}
    targets = [
        None,
        {"metadata": {"name": "e"}, "data": {"a": "YQ==", "uuid": "YQ=="}},
        {"metadata": {"labels": {"reconcile.external-secrets.io/managed": "true"},
                      "annotations": {f"generators.external-secrets.io/record-{'0' * 56}": json.dumps(record)}}, "data": {"a": "YQ=="}},
    ]
    for kind, spec in specs.items():
        entry = {"sourceRef": {"generatorRef": {"apiVersion": GENERATORS, "kind": kind, "name": "g"}}}
        renamed = {**entry, "rewrite": [{"regexp": {"source": "(.*)", "target": "x_$1"}}]}
        generator = {"kind": kind, "metadata": {"name": "g"}, "spec": spec}
        for at, (policy, target) in enumerate((policy, target) for policy in ["Periodic", "CreatedOnce", "OnChange"] for target in targets):
            template = [None, {"data": {"a": "{{ .a }}"}}, {"templateFrom": [{"literal": "a: {{ .a }}"}], "mergePolicy": "Merge"}][at % 3]
            external_secret = {
                "metadata": {"name": "e", "namespace": "n", "generation": 1, "annotations": {"force-sync": "1"}},
                "spec": {
                    "refreshPolicy": policy,
                    "refreshInterval": ["1h", "0"][at % 2],
                    "target": {"creationPolicy": ["Owner", "Merge", "Orphan"][at % 3], "template": template},
                    "dataFrom": [entry, renamed],
                },
                "status": {"refreshTime": "2023-01-01T00:00:00Z", "syncedResourceVersion": "1-0"},
            }
            yield json.dumps({"generators": [generator], "externalSecret": external_secret, "target": target, "intact": at % 2 == 0, "texts": "t"}).encode()


def namespaces():
    """ClusterExternalSecrets, and what is in a namespace already."""
    owner = {"apiVersion": "external-secrets.io/v1", "kind": "ClusterExternalSecret", "name": "db", "uid": "u", "controller": True}
    parent = {
        "metadata": {"name": "db", "uid": "u", "generation": 2, "annotations": {"external-secrets.io/force-sync": "1"}},
        "spec": {
            "externalSecretName": "x",
            "namespaceSelector": {"matchLabels": {"a": "b"}},
            "externalSecretMetadata": {"labels": {"a": "b"}, "annotations": {"c": "d"}},
            "externalSecretSpec": {"target": {"name": "t"}, "secretStoreRef": {"name": "v", "kind": "ClusterSecretStore"}},
        },
    }
    managed = [{"manager": "external-secrets", "operation": "Update", "fieldsV1": {"f:metadata": {"f:labels": {"f:a": {}, "f:old": {}}}}}]
    for at, name in enumerate(["x", "y", "db"]):
        for finalizers in [[], ["externalsecrets.external-secrets.io/externalsecret-cleanup"], ["mine"]]:
            child = {
                "metadata": {"name": name, "labels": {"a": "z"}, "ownerReferences": [owner], "finalizers": finalizers, "managedFields": managed},
                "spec": {"target": {"name": "t"}},
                "status": {"conditions": [{"type": "Ready", "status": "True"}]},
            }
            for existing in [[], [child], [child, {"metadata": {"name": "x"}, "spec": {}}]]:
                yield json.dumps({"clusterExternalSecret": parent, "existing": existing, "place": at}).encode()


def pushes():
    """PushSecrets, and the Secret that they push."""
    secret = {"data": {"a_U002f_b": "YQ==", "k": "eyJhIjoxfQ=="}}
    remote = {"remoteKey": "r", "property": "p"}
    metadata = {"apiVersion": "kubernetes.external-secrets.io/v1alpha1", "kind": "PushSecretMetadata", "spec": {"tags": {"t": "u"}}}
    for strategy in ["None", "ReverseUnicode"]:
        for entries in [
            {"data": [{"match": {"secretKey": "k", "remoteRef": remote}, "conversionStrategy": strategy, "metadata": metadata}, {"match": {"remoteRef": remote}}]},
            {"dataTo": [{"storeRef": {"name": "vault"}, "match": {"regexp": "^a"}, "remoteKey": "all", "conversionStrategy": strategy}]},
            {"dataTo": [{"storeRef": {"name": "vault"}, "rewrite": [{"regexp": {"source": "(.*)", "target": "x-$1"}}, {"transform": {"template": "{{ .value | upper }}"}}]}]},
        ]:
            spec = {"secretStoreRefs": [{"name": "vault"}], "selector": {"secret": {"name": "s"}}, "refreshInterval": "1h", "deletionPolicy": "Delete", **entries}
            yield json.dumps({"pushSecret": {"metadata": {"name": "p", "generation": 1}, "spec": spec}, "secret": secret}).encode()


def lines(texts):
    return (text.encode() for text in texts)


SEEDS = {
    "fuzz": {
        "answers": lambda: [status.to_bytes(2, "big") + body for status in (200, 401, 403, 429) for body in REFUSALS],
        "certificates": files,
        "lint": lambda: lines(text.replace("external-secrets.io/v1\n", "external-secrets.io/v1beta1\n") for text in manifests()),
        "manifests": lambda: lines(manifests()),
        "minting": minting,
        "namespaces": namespaces,
        "pushes": pushes,
        "render": render,
        "spec": lambda: lines([*objects(), *manifests()]),
        "webhook": webhook,
        "words": lambda: lines(WORDS.split("\n")),
    },
    "crates/gjson-path/fuzz": {"gjson": gjson},
    "crates/go-regexp/fuzz": {"regexp": regexp},
    "crates/go-template/fuzz": {
        "calls": lambda: chosen([[0], [3], [5]]),
        "costs": lambda: chosen([[3, 2, 0, 2], [6, 3, 1, 1]]),
        "keys": keys,
        "template": lambda: (f"{template}\0{value}".encode() for template, value in templates()),
        "yaml": yaml,
    },
}


SYNTAX = """{{|}}|{{-|-}}|{{ range |{{ range $i, $e := |{{ end }}|{{ if |{{ else }}|{{ else if |{{ with |{{ break }}|{{ continue }}
{{ define "a" }}|{{ template "a" . }}|{{ block "a" . }}|$x := |$x = |.v|$|(|)|nil|true|"a"|`a`|'a'|1i|0x1p-2|1e400|-9223372036854775808
until 3 |until 1000 |list 1 2 |dict "a" 1 |printf "%#v" |printf "%[3]*.[2]*[1]f" |repeat 1000000 "x"|.Year|.Unix|.AddDate 1 2 3"""
OF_GO = "and call eq ge gt html index js le len lt ne not or print println slice urlquery".split()
VALUES = """"1h30m"|"8h"|"0 1 * * *"|"ClusterSecretStore"|"SecretStore"|"Owner"|"Orphan"|"Merge"|"None"|"Delete"|"Retain"|"v2"
"Periodic"|"CreatedOnce"|"OnChange"|"Base64"|"Base64URL"|"Auto"|"Fetch"|"Unicode"|"KeysAndValues"|"Values"|"Data"|"JSON"|"Extract"
"Ignore"|"Fail"|"secret/a"|"a.b"|"{{ .value | upper }}"|"(.*)"|"\\pL{100}"|"$1"|"ServicePrincipal"|"WorkloadIdentity"|"allow"|"deny"
"https://a.vault.azure.net"|[]|{}|null|-1|1e999|true|{"|":|,|"spec":{|"data":[{|"dataFrom":[{|"rewrite":[{"regexp":{"""


def functions():
    for path in sorted((ROOT / "crates/go-template/src/funcs").glob("*.rs")):
        yield from re.findall(r'^ *\("(\w+)", ', path.read_text(encoding="utf-8"), re.MULTILINE)


def fields():
    for path in sorted((ROOT / "crds").glob("*.yaml")):
        yield from re.findall(r"^ +(\w+):$", path.read_text(encoding="utf-8"), re.MULTILINE)


def dictionary(name, words):
    folder = ROOT / "fuzz" / "dictionaries"
    escaped = (word.replace("\\", "\\\\").replace('"', '\\"') for word in sorted(set(words)) if word)
    (folder / f"{name}.dict").write_text("".join(f'"{word}"\n' for word in escaped), encoding="utf-8")


def dictionaries():
    syntax = re.split(r"[|\n]", SYNTAX)
    for name in ["template", "render"]:
        dictionary(name, [*syntax, *(f"{name} " for name in [*functions(), *OF_GO])])
    for name in ["minting", "namespaces", "pushes", "spec"]:
        dictionary(name, [*re.split(r"[|\n]", VALUES), *(f'"{name}":' for name in fields())])


def found(target):
    path = ROOT / "fuzz" / "found" / target
    lines = path.read_text(encoding="ascii").split() if path.exists() else []
    return {base64.b64decode(line) for line in lines}


def short(inputs):
    return {content for content in inputs if len(content) <= LONGEST}


def keep(target, folder):
    made = next(targets[target] for targets in SEEDS.values() if target in targets)
    contents = {path.read_bytes() for path in pathlib.Path(folder).iterdir()}
    new = {content for content in contents if len(content) <= LONGEST_KEPT} - short(made())
    (ROOT / "fuzz" / "found").mkdir(exist_ok=True)
    lines = sorted(base64.b64encode(content).decode() for content in new)
    (ROOT / "fuzz" / "found" / target).write_text("".join(line + "\n" for line in lines), encoding="ascii")
    print(f"{target}: {len(lines)} inputs kept")


def main():
    dictionaries()
    for folder, targets in SEEDS.items():
        for target, inputs in targets.items():
            corpus = ROOT / folder / "corpus" / target
            corpus.mkdir(parents=True, exist_ok=True)
            for content in short(inputs()) | found(target):
                (corpus / hashlib.sha1(content).hexdigest()).write_bytes(content)


if sys.argv[1:2] == ["keep"]:
    keep(*sys.argv[2:])
else:
    main()
