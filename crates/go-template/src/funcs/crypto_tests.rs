//! What cryptographic functions may cost, and what their errors may show.

use proptest::collection::vec;
use proptest::prelude::*;

use crate::{Engine, Limits, Map, Text, Type, Value, funcs};

const FILE: &[u8] = include_bytes!("../../tests/conformance/eso/testdata/leaf-pass.pfx");
const CERTIFICATE: &[u8] = include_bytes!("../../tests/conformance/eso/testdata/leaf.crt");
const KEY: &[u8] = include_bytes!("../../tests/conformance/eso/testdata/p256-sec1.key");

fn render(template: &str) -> Result<String, String> {
    let engine = Engine::new(funcs::all());
    let template = engine.parse("t", template.as_bytes()).map_err(|error| error.to_string())?;
    let data = Value::Map(Map::new(&Type::Any));
    let rendered = template.render(&data).map_err(|error| error.to_string())?;
    Ok(String::from_utf8_lossy(&rendered).into_owned())
}

fn is_refused(template: &str) {
    let error = render(template).expect_err("it costs too much");
    assert!(error.contains("the template takes more than 1000000 steps"), "{template}: {error}");
}

#[test]
fn a_few_costly_calls_are_fine() {
    assert!(render("{{ range 3 }}{{ bcrypt \"x\" }}{{ genPrivateKey \"ecdsa\" }}{{ end }}").is_ok());
    assert!(render("{{ genPrivateKey \"rsa\" }}").is_ok());
    assert!(render("{{ $ca := genCA \"ca\" 1 }}{{ (genSignedCert \"cn\" nil nil 1 $ca).Cert }}").is_ok());
    assert!(render("{{ derivePassword 1 \"long\" \"a\" \"b\" \"c\" }}").is_ok());
}

#[test]
fn hundreds_of_costly_calls_are_refused() {
    is_refused("{{ range 1000 }}{{ $x := genPrivateKey \"ecdsa\" }}{{ end }}");
    is_refused("{{ range 100 }}{{ $x := derivePassword 1 \"pin\" \"a\" \"b\" \"c\" }}{{ end }}");
    is_refused("{{ range 10000 }}{{ $x := genPrivateKey \"ed25519\" }}{{ end }}");
}

#[test]
fn keys_and_certificates_of_rsa_are_few() {
    // Expensive work is paid for in advance.
    let with = |steps: usize, template: &str| {
        let engine = Engine::new(funcs::all()).with_limits(Limits { steps, ..Limits::default() });
        let template = engine.parse("t", template.as_bytes()).unwrap();
        template.render(&Value::Map(Map::new(&Type::Any))).map_err(|error| error.to_string())
    };
    for (steps, template) in [
        (100_000, "{{ genPrivateKey \"rsa\" }}"),
        (30_000, "{{ $x := genCA \"ca\" 1 }}"),
        (30_000, "{{ $x := genSelfSignedCert \"cn\" nil nil 1 }}"),
        (7000, "{{ bcrypt \"x\" }}"),
        (7000, "{{ htpasswd \"user\" \"x\" \"bcrypt\" }}"),
        (90_000, "{{ derivePassword 1 \"long\" \"a\" \"b\" \"c\" }}"),
    ] {
        let error = with(steps, template).expect_err(template);
        assert!(error.contains(&format!("more than {steps} steps")), "{template}: {error}");
    }
}

#[test]
fn the_passwords_of_a_hundred_users_can_be_hashed_in_one_template() {
    let hundredth = Limits { steps: Limits::default().steps / 100, ..Limits::default() };
    let engine = Engine::new(funcs::all()).with_limits(hundredth);
    let template = engine.parse("t", b"{{ htpasswd \"user\" \"password\" \"bcrypt\" }}\n").unwrap();
    let line = template.render(&Value::Nil).unwrap();
    assert!(line.starts_with(b"user:$2a$10$"));
}

/// The test file with this many iterations of its MAC.
fn file_with_iterations(iterations: [u8; 4]) -> Value {
    // The file ends with the iterations of its MAC: 2048.
    let (start, end) = FILE.split_at(FILE.len() - 4);
    assert_eq!(end, [2, 2, 8, 0]);
    // Two more bytes, so the lengths around the integer grow.
    let grown = [start, &[2, 4], &iterations].concat();
    Value::String(grow(grown, FILE.len()).into())
}

/// Adds two to the lengths of all sequences of `file` that extended to its former end.
fn grow(mut file: Vec<u8>, end: usize) -> Vec<u8> {
    for at in 0..end - 4 {
        if file[at] != 0x30 {
            continue;
        }
        match file[at + 1] {
            0x82 if at + 4 + usize::from(file[at + 2]) * 256 + usize::from(file[at + 3]) == end => file[at + 3] += 2,
            len @ 0..=0x7d if at + 2 + usize::from(len) == end => file[at + 1] += 2,
            _ => {}
        }
    }
    file
}

#[test]
fn a_file_that_asks_for_a_billion_iterations_is_refused_at_once() {
    let engine = Engine::new(funcs::all());
    let template = engine.parse("t", b"{{ pkcs12keyPass \"test-only\" . }}").unwrap();
    let of_iterations =
        |iterations| template.render(&file_with_iterations(iterations)).expect_err("it is no such file");
    assert!(of_iterations([0, 0, 1, 0]).to_string().contains("malformed"), "the number has zeros before it");
    assert!(of_iterations([0x7f, 0xff, 0xff, 0xff]).to_string().contains("steps"), "it costs too much");
    assert!(of_iterations([1, 0, 0, 0]).to_string().contains("steps"), "it costs too much");
}

#[test]
fn errors_hold_no_value() {
    for template in [
        "{{ fromYaml \"hunter2: [\" | toYaml }}{{ b64dec \"*hunter2*\" | sha1sum }}{{ jwkPublicKeyPem \"hunter2\" }}",
        "{{ jwkPublicKeyPem \"{\\\"kty\\\": \\\"hunter2\\\"}\" }}",
        "{{ rsaDecrypt \"hunter2\" \"\" \"\" \"\" }}",
        "{{ pkcs12key \"hunter2\" }}",
        "{{ pemToPkcs12 \"hunter2\" \"hunter2\" }}",
        "{{ decryptAES \"hunter2\" \"hunter2\" }}",
        "{{ genSelfSignedCert \"cn\" (list \"hunter2\") nil 1 }}",
        "{{ genCAWithKey \"cn\" 1 \"hunter2\" }}",
        "{{ certSANs \"hunter2\" }}",
        "{{ filterPEM \"x\" \"hunter2\" }}",
    ] {
        let error = render(template).expect_err(template);
        assert!(!error.contains("hunter2"), "{error}");
    }
}

/// A PEM block whose content is damaged.
fn damaged_pem(text: &[u8], kind: &str, damage: &[(usize, u8)]) -> Vec<u8> {
    let (block, _) = super::pem::decode(text).unwrap();
    super::pem::encode(kind, &damaged(&block.bytes, damage)).to_vec()
}

fn damaged(bytes: &[u8], damage: &[(usize, u8)]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for (at, byte) in damage {
        let at = at % bytes.len();
        bytes[at] = *byte;
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn damaged_files_end_no_rendering_but_with_an_error(damage in vec((0_usize..4096, any::<u8>()), 1..4)) {
        let data = [
            ("file", damaged(FILE, &damage)),
            ("cert", damaged_pem(CERTIFICATE, "CERTIFICATE", &damage)),
            ("key", damaged_pem(KEY, "EC PRIVATE KEY", &damage)),
            ("text", damaged(CERTIFICATE, &damage)),
        ];
        let data = data.map(|(name, bytes)| (Text::from(name), Value::String(bytes.into())));
        let data = Value::Map(Map::from_entries(&Type::String, data.into()));
        let engine = Engine::new(funcs::all());
        for template in [
            "{{ pkcs12certPass \"test-only\" .file }}",
            "{{ certSANs .cert }}{{ pemTruststoreToPKCS12 .cert }}",
            "{{ filterCertChain \"leaf\" .text }}{{ filterPEM \"CERTIFICATE\" .text }}",
            "{{ genCAWithKey \"ca\" 1 .key }}",
            "{{ pemToPkcs12 .cert .key }}",
        ] {
            let _ = engine.parse("t", template.as_bytes()).unwrap().render(&data);
        }
    }
}
