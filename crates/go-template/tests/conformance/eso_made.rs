//! The random results of ESO's and sprig's functions: Go parses them and finds what it should.

use std::collections::BTreeMap;
use std::convert::Infallible;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use go_template::{Engine, Environment, Map, Text, Type, Value, funcs};
use jiff::Timestamp;
use rand::{CryptoRng, TryCryptoRng, TryRng};
use serde_json::{Value as Json, json};

use super::GO;
use super::eso::file;

/// The data of a template.
type Data<'a> = [(&'a str, Vec<u8>)];

/// The same, owned.
type OwnData<'a> = Vec<(&'a str, Vec<u8>)>;

/// What our functions make of a template.
fn ours(template: &str, data: &Data<'_>) -> String {
    rendered(&Engine::new(funcs::all()), template, data)
}

fn rendered(engine: &Engine, template: &str, data: &Data<'_>) -> String {
    let entries: BTreeMap<Text, Value> =
        data.iter().map(|(key, value)| (Text::from(*key), Value::String(value.clone().into()))).collect();
    let template = engine.parse("t", template.as_bytes()).expect("a template");
    let output = template.render(&Value::Map(Map::from_entries(&Type::String, entries))).expect("it renders");
    String::from_utf8(output.to_vec()).expect("UTF-8")
}

/// What Go makes of templates.
fn go(checks: &[(&str, &Data<'_>)]) -> Vec<String> {
    let check = |(template, data): &(&str, &Data<'_>)| {
        let data: BTreeMap<&str, String> = data.iter().map(|(key, value)| (*key, STANDARD.encode(value))).collect();
        json!({"template": template, "data": data}).to_string()
    };
    let input = checks.iter().map(check).collect::<Vec<_>>().join("\n");
    let printed = GO.run_on("eso", &["-check"], input.into_bytes());
    let output = |line: &str| {
        let result: Json = serde_json::from_str(line).expect("JSON");
        result["output"].as_str().map_or_else(|| panic!("{}", result["error"]), ToOwned::to_owned)
    };
    printed.lines().map(output).collect()
}

fn decoded(base64: &str) -> Vec<u8> {
    STANDARD.decode(base64).expect("base64")
}

#[test]
fn go_finds_the_key_and_the_certificates_in_our_pkcs12_files() {
    const READ: &str = "{{ pkcs12keyPass .password .file }}{{ pkcs12certPass .password .file }}";
    let mut checks: Vec<(OwnData<'_>, Vec<u8>)> = Vec::new();
    for (key, certificate) in [("leaf.key", "leaf.crt"), ("p256.key", "p256.crt"), ("ed25519.key", "ed25519.crt")] {
        let data = [("key", file(key)), ("cert", file(certificate))];
        let expected = [file(key), file(certificate)].concat();
        for (template, password) in
            [("{{ pemToPkcs12 .cert .key }}", ""), ("{{ pemToPkcs12Pass .cert .key \"pä\" }}", "pä")]
        {
            let made = decoded(&ours(template, &data));
            checks.push((vec![("file", made), ("password", password.into())], expected.clone()));
        }
    }
    let data = [("key", file("leaf-pkcs1.key")), ("chain", file("chain.pem"))];
    let expected = [file("leaf.key"), file("chain.pem")].concat();
    for (template, password) in
        [("{{ fullPemToPkcs12 .chain .key }}", ""), ("{{ fullPemToPkcs12Pass .chain .key \"secret\" }}", "secret")]
    {
        let made = decoded(&ours(template, &data));
        checks.push((vec![("file", made), ("password", password.into())], expected.clone()));
    }
    let templates: Vec<(&str, &Data<'_>)> = checks.iter().map(|(data, _)| (READ, data.as_slice())).collect();
    let found = go(&templates);
    for (found, (_, expected)) in found.iter().zip(&checks) {
        assert_eq!(found.as_bytes(), expected);
    }
}

#[test]
fn go_finds_the_certificates_in_our_trust_stores() {
    let data = [("certs", [file("chain.pem"), file("p256.crt")].concat())];
    let made = decoded(&ours("{{ pemTruststoreToPKCS12Pass .certs \"secret\" }}", &data));
    let open = decoded(&ours("{{ pemTruststoreToPKCS12 .certs }}", &data));
    let data = [data.as_slice(), &[("made", made), ("open", open)]].concat();
    let template = "{{ storeFacts .made \"secret\" }}|{{ storeFacts .open \"\" }}|\
        {{ storeFacts (pemTruststoreToPKCS12Pass .certs \"secret\" | b64dec) \"secret\" }}";
    let found = go(&[(template, &data)]);
    let facts: Vec<&str> = found[0].split('|').collect();
    assert!(facts[0].contains("CN=leaf.example.com"), "{}", facts[0]);
    assert_eq!(facts[0], facts[2]);
    assert_eq!(facts[1], facts[2]);
}

#[test]
fn go_decrypts_what_we_encrypt_and_knows_our_hashes() {
    let made = ours(
        "{{ encryptAES \"password\" \"the text\" }}|{{ bcrypt \"pass\" }}|{{ htpasswd \"user\" \"pass\" \"bcrypt\" }}",
        &[],
    );
    let made: Vec<&str> = made.split('|').collect();
    assert!(made[1].starts_with("$2a$10$"), "{}", made[1]);
    let hash = made[2].strip_prefix("user:").expect("the user's name");
    let data = [("text", made[0].into()), ("one", made[1].into()), ("two", hash.into())];
    let template = "{{ decryptAES \"password\" .text }}|{{ bcryptMatches .one \"pass\" }}|{{ bcryptMatches .two \"pass\" }}|\
        {{ bcryptMatches .two \"other\" }}";
    let found = go(&[(template, &data)]);
    assert_eq!(found, ["the text|true|true|false"]);
}

#[test]
fn go_finds_in_our_certificates_what_it_puts_into_its_own() {
    const MAKE: [&str; 4] = [
        "{{ $ca := genCAWithKey \"ca\" 10 .key }}{{ $c := genSignedCertWithKey \"cn ü\" (list \"10.0.0.1\" \"2001:db8::1\") \
         (list \"a.example.com\" \"*.b\") 20 $ca .other }}",
        "{{ $ca := genCAWithKey \"ca\" 10 .key }}{{ $c := genSignedCertWithKey \"ca\" nil nil 20 $ca .other }}",
        "{{ $c := genSelfSignedCertWithKey \"\" nil (list \"a\") -1 .key }}{{ $ca := $c }}",
        "{{ $ca := genCA \"ca\" 36500 }}{{ $c := genSignedCert \"cn\" nil nil 1 $ca }}",
    ];
    const SHOW: &str = "{{ $ca.Cert }}|{{ $ca.Key }}|{{ $c.Cert }}|{{ $c.Key }}";
    const FACTS: &str = "{{ certFacts $ca.Cert $ca.Key $ca.Cert }}{{ certFacts $c.Cert $c.Key $ca.Cert }}";
    const FACTS_OF_OURS: &str = "{{ certFacts .ca .caKey .ca }}{{ certFacts .c .cKey .ca }}";
    let mut checks: Vec<(String, OwnData<'_>)> = Vec::new();
    for (key, other) in [
        ("leaf-pkcs1.key", "p256-sec1.key"),
        ("p256.key", "ed25519.key"),
        ("ed25519.key", "p521.key"),
        ("p521.key", "leaf.key"),
    ] {
        let data = vec![("key", file(key)), ("other", file(other))];
        // Go compares the type of a key by its PEM block.
        for make in MAKE.iter().take(if key == "p256.key" { 4 } else { 3 }) {
            let made = ours(&format!("{make}{SHOW}"), &data);
            let parts =
                ["ca", "caKey", "c", "cKey"].into_iter().zip(made.split('|').map(|part| part.as_bytes().to_vec()));
            checks.push((FACTS_OF_OURS.to_owned(), parts.collect()));
            checks.push((format!("{make}{FACTS}"), data.clone()));
        }
    }
    let templates: Vec<(&str, &Data<'_>)> =
        checks.iter().map(|(template, data)| (template.as_str(), data.as_slice())).collect();
    let found = go(&templates);
    for pair in found.chunks(2) {
        assert_eq!(pair[0], pair[1]);
    }
}

#[test]
fn go_takes_our_private_keys() {
    const FACTS: &str =
        "{{ with genSelfSignedCertWithKey \"cn\" nil nil 1 $key }}{{ certFacts .Cert .Key .Cert }}{{ end }}";
    for kind in ["rsa", "ecdsa", "ed25519"] {
        let data = [("key", ours(&format!("{{{{ genPrivateKey \"{kind}\" }}}}"), &[]).into_bytes())];
        let of_ours = format!("{{{{ $key := .key }}}}{FACTS}");
        let of_go = format!("{{{{ $key := genPrivateKey \"{kind}\" }}}}{FACTS}");
        let found = go(&[(&of_ours, &data), (&of_go, &[])]);
        assert_eq!(found[0], found[1]);
    }
}

/// Returns the same bytes each time it is created.
#[derive(Clone)]
struct Fixed(Vec<u8>);

impl TryRng for Fixed {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes).map(|()| u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes).map(|()| u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        bytes.copy_from_slice(&self.0.split_off(self.0.len() - bytes.len()));
        Ok(())
    }
}

impl TryCryptoRng for Fixed {}

#[test]
fn a_certificate_of_the_same_time_and_serial_number_is_the_same_byte_for_byte() {
    const MAKE: [&str; 3] = [
        "{{ $c := genCAWithKey \"Authority & Söhne\" 3650 .key }}",
        "{{ $c := genSelfSignedCertWithKey \"\" (list \"10.0.0.1\" \"::ffff:10.0.0.2\" \"2001:db8::1\") (list \"a.example.com\") 20000 .key }}",
        "{{ $ca := buildCustomCert (b64enc .caCert) (b64enc .caKey) }}\
         {{ $c := genSignedCertWithKey \"cn\" nil (list \"a\" \"b\") 1 $ca .key }}",
    ];
    for key in ["leaf-pkcs1.key", "ed25519.key"] {
        // The signatures of this authority's key involve no randomness.
        let data = [("key", file(key)), ("caCert", file("intermediate.crt")), ("caKey", file("intermediate.key"))];
        for make in MAKE {
            let of_go = format!("{make}{{{{ $c.Cert }}}}{{{{ $c.Key }}}}|{{{{ serialTime $c.Cert }}}}");
            let found = go(&[(&of_go, &data)]);
            let (expected, facts) = found[0].split_once('|').expect("facts");
            let (serial, seconds) = facts.split_once(' ').expect("a time");
            let bytes = u128::from_str_radix(serial, 16).expect("a number").to_be_bytes().to_vec();
            let time = Timestamp::from_second(seconds.parse().expect("a number")).expect("a time");
            let environment =
                Environment::new(move || time, move || Box::new(Fixed(bytes.clone())) as Box<dyn CryptoRng>);
            let engine = Engine::new(funcs::all()).with_environment(environment);
            let made = rendered(&engine, &format!("{make}{{{{ $c.Cert }}}}{{{{ $c.Key }}}}"), &data);
            assert_eq!(made, expected, "{make}");
        }
    }
}
