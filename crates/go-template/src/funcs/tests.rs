//! What golden files cannot cover: the list of functions, random and time-dependent results, and limits.

use std::collections::BTreeSet;

use jiff::Timestamp;
use proptest::prelude::*;
use rand::SeedableRng as _;
use rand::rngs::StdRng;

use crate::{Engine, Environment, Limits, Map, Text, Type, Value};

/// The names of ESO 2.9.0's functions that are not Go's own: those of its copy of sprig.
const SPRIG: &str = "
    abbrev abbrevboth add add1 add1f addf adler32sum ago all any append atoi b32dec b32enc b64dec b64enc base bcrypt
    biggest buildCustomCert camelcase cat ceil chunk clean coalesce compact concat contains date dateInZone dateModify
    date_in_zone date_modify decryptAES deepCopy deepEqual default derivePassword dict dig dir div divf duration
    durationRound empty encryptAES ext fail first float64 floor fromJson genCA genCAWithKey genPrivateKey
    genSelfSignedCert genSelfSignedCertWithKey genSignedCert genSignedCertWithKey get has hasKey hasPrefix hasSuffix
    hello hexdec htmlDate htmlDateInZone htpasswd indent initial initials int int64 isAbs join kebabcase keys kindIs
    kindOf last list lower max maxf merge mergeOverwrite min minf mod mul mulf mustAppend mustChunk mustCompact
    mustDateModify mustDeepCopy mustFirst mustFromJson mustHas mustInitial mustLast mustMerge mustMergeOverwrite
    mustPrepend mustPush mustRegexFind mustRegexFindAll mustRegexMatch mustRegexReplaceAll mustRegexReplaceAllLiteral
    mustRegexSplit mustRest mustReverse mustSlice mustToDate mustToJson mustToPrettyJson mustToRawJson mustUniq
    mustWithout must_date_modify nindent nospace now omit osBase osClean osDir osExt osIsAbs pick pluck plural prepend
    push quote randAlpha randAlphaNum randAscii randBytes randInt randNumeric regexFind regexFindAll regexMatch
    regexQuoteMeta regexReplaceAll regexReplaceAllLiteral regexSplit repeat replace rest reverse round semver
    semverCompare seq set sha1sum sha256sum sha512sum shuffle slice snakecase sortAlpha split splitList splitn squote
    sub subf substr swapcase ternary title toDate toDecimal toJson toPrettyJson toRawJson toString toStrings trim
    trimAll trimPrefix trimSuffix trimall trunc tuple typeIs typeIsLike typeOf uniq unixEpoch unset until untilStep
    untitle upper urlJoin urlParse uuidv4 values without wrap wrapWith";

/// The names of ESO 2.9.0's other functions.
const OWN: &str = "
    certSANs filterCertChain filterPEM fromYaml fullPemToPkcs12 fullPemToPkcs12Pass jwkPrivateKeyPem jwkPublicKeyPem
    pemToPkcs12 pemToPkcs12Pass pemTruststoreToPKCS12 pemTruststoreToPKCS12Pass pkcs12cert pkcs12certPass pkcs12key
    pkcs12keyPass rsaDecrypt toYaml";

/// The functions that depend on the time or on randomness.
const VOLATILE: &str = "
    ago bcrypt date dateInZone date_in_zone durationRound encryptAES fullPemToPkcs12 fullPemToPkcs12Pass genCA genCAWithKey
    genPrivateKey genSelfSignedCert genSelfSignedCertWithKey genSignedCert genSignedCertWithKey htmlDate htmlDateInZone
    htpasswd now pemToPkcs12 pemToPkcs12Pass pemTruststoreToPKCS12 pemTruststoreToPKCS12Pass randAlpha randAlphaNum
    randAscii randBytes randInt randNumeric shuffle uuidv4";

const NOW: &str = "2026-11-23T22:24:18.25Z";

fn environment(seed: u64) -> Environment {
    let now: Timestamp = NOW.parse().unwrap();
    Environment::new(move || now, move || Box::new(StdRng::seed_from_u64(seed)))
}

fn render_with(seed: u64, template: &str) -> Result<String, String> {
    let engine = Engine::new(super::all()).with_environment(environment(seed));
    let template = engine.parse("t", template.as_bytes()).map_err(|error| error.to_string())?;
    let data = Value::Map(Map::new(&Type::Any));
    let rendered = template.render(&data).map_err(|error| error.to_string())?;
    Ok(String::from_utf8_lossy(&rendered).into_owned())
}

fn render(template: &str) -> Result<String, String> {
    render_with(1, template)
}

fn ok(template: &str) -> String {
    render(template).unwrap_or_else(|error| panic!("{template}: {error}"))
}

#[test]
fn there_are_the_functions_that_eso_has_and_no_others() {
    let names: Vec<&str> = super::all().map(|(name, _)| name).collect();
    let ours: BTreeSet<&str> = names.iter().copied().collect();
    assert_eq!(names.len(), ours.len(), "a name is there twice");
    let eso: BTreeSet<&str> = SPRIG.split_whitespace().chain(OWN.split_whitespace()).collect();
    assert_eq!(ours, eso);
}

#[test]
fn functions_of_the_time_and_of_randomness_are_marked() {
    let marked = super::all().filter(|(_, function)| function.is_volatile()).map(|(name, _)| name);
    assert_eq!(marked.collect::<BTreeSet<_>>(), VOLATILE.split_whitespace().collect());
}

#[test]
fn a_template_is_volatile_if_such_a_function_is_anywhere_in_it() {
    let engine = Engine::new(super::all());
    let is_volatile = |template: &str| engine.parse("t", template.as_bytes()).unwrap().is_volatile();
    for template in [
        "{{ now }}",
        "{{ now.Unix }}",
        "{{ (now).Unix }}",
        "{{ 5 | randAlpha }}",
        "{{ .a | printf \"%s%s\" (randAlpha 5) }}",
        "{{ $x := 1 }}{{ $x = uuidv4 }}",
        "{{ if .a }}{{ else if (lt 1 now.Unix) }}{{ end }}",
        "{{ if .a }}{{ with .b }}{{ now }}{{ end }}{{ end }}",
        "{{ if .a }}{{ else }}{{ now }}{{ end }}",
        "{{ range (until (randInt 1 5)) }}{{ end }}",
        "{{ range .a }}{{ htpasswd .user .password }}{{ end }}",
        "{{ range .a }}{{ else }}{{ now }}{{ end }}",
        "{{ define \"x\" }}{{ now }}{{ end }}{{ template \"x\" }}",
        "{{ block \"x\" . }}{{ now }}{{ end }}",
        "{{ template \"x\" now }}{{ define \"x\" }}{{ . }}{{ end }}",
    ] {
        assert!(is_volatile(template), "{template}");
    }
    for template in [
        "",
        "now",
        "{{ .now }} {{ \"now\" }} {{ $now := 1 }}{{ $now }}",
        "{{ range .a }}{{ b64enc . | upper }}{{ end }}",
    ] {
        assert!(!is_volatile(template), "{template}");
    }
}

#[test]
fn the_time_is_that_of_the_environment() {
    assert_eq!(ok("{{ now }}"), "2026-11-23 22:24:18.25 +0000 UTC");
    assert_eq!(ok("{{ now | date \"2006-01-02 15:04:05\" }}"), "2026-11-23 22:24:18");
    assert_eq!(ok("{{ date \"2006\" \"neither a time nor a number\" }} {{ htmlDate nil }}"), "2026 2026-11-23");
    assert_eq!(ok("{{ dateInZone \"15:04 MST\" now \"Europe/Berlin\" }}"), "23:24 CET");
    assert_eq!(
        ok("{{ unixEpoch now }} {{ now.Unix }} {{ now.Year }} {{ now.Weekday }}"),
        "1795472658 1795472658 2026 Monday"
    );
    assert_eq!(ok("{{ now | dateModify \"-25h\" | ago }} {{ ago 1795472600 }} {{ ago \"x\" }}"), "25h0m0s 58s 0s");
    assert_eq!(
        ok("{{ now | dateModify \"-50h\" | durationRound }} {{ now | dateModify \"1h30m\" | ago }}"),
        "2d -1h30m0s"
    );
    assert_eq!(ok("{{ toJson now }}"), "\"2026-11-23T22:24:18.25Z\"");
}

#[test]
fn random_strings_have_their_length_and_characters() {
    type Check = fn(char) -> bool;
    let cases: [(&str, Check); 4] = [
        ("randAlpha", |c| c.is_ascii_alphabetic()),
        ("randAlphaNum", |c| c.is_ascii_alphanumeric()),
        ("randNumeric", |c| c.is_ascii_digit()),
        ("randAscii", |c| matches!(c, ' '..='~')),
    ];
    for (function, is_allowed) in cases {
        let text = ok(&format!("{{{{ {function} 500 }}}}"));
        assert_eq!(text.len(), 500, "{function}");
        assert!(text.chars().all(is_allowed), "{function}: {text}");
        let distinct = text.chars().collect::<BTreeSet<_>>().len();
        assert!(distinct >= 10, "{function} gives only {distinct} characters");
    }
    assert_eq!(ok("{{ randBytes 32 | b64dec | len }}"), "32");
}

#[test]
fn randomness_comes_from_the_environment_and_goes_on_within_a_rendering() {
    for template in ["{{ randAlphaNum 20 }}", "{{ uuidv4 }}", "{{ randBytes 9 }}", "{{ shuffle \"abcdefghijklmnop\" }}"]
    {
        assert_eq!(render_with(1, template), render_with(1, template), "{template}");
        assert_ne!(render_with(1, template), render_with(2, template), "{template}");
        let twice = ok(&format!("{template} {template}"));
        let (first, second) = twice.split_once(' ').unwrap();
        assert_ne!(first, second, "{template}");
    }
}

#[test]
fn a_uuid_is_random_and_says_its_version_and_variant() {
    let uuids: BTreeSet<String> = (0..50).map(|seed| render_with(seed, "{{ uuidv4 }}").unwrap()).collect();
    assert_eq!(uuids.len(), 50);
    for uuid in uuids {
        let parts: Vec<usize> = uuid.split('-').map(str::len).collect();
        assert_eq!(parts, [8, 4, 4, 4, 12], "{uuid}");
        assert!(uuid.chars().all(|c| c == '-' || c.is_ascii_hexdigit() && !c.is_ascii_uppercase()), "{uuid}");
        assert_eq!(uuid.as_bytes()[14], b'4', "{uuid}");
        assert!(b"89ab".contains(&uuid.as_bytes()[19]), "{uuid}");
    }
}

#[test]
fn a_random_number_is_within_its_bounds() {
    let numbers: BTreeSet<String> = (0..100).map(|seed| render_with(seed, "{{ randInt -2 3 }}").unwrap()).collect();
    assert_eq!(numbers, ["-1", "-2", "0", "1", "2"].map(ToOwned::to_owned).into());
}

#[test]
fn what_would_cost_too_much_is_refused_before_it_is_done() {
    let engine = Engine::new(super::all());
    // A tenth of the usual limits, because a debug build is slow.
    let engine = engine.with_limits(Limits { memory: 1 << 20, steps: 30_000, ..Limits::default() });
    let refused = [
        "{{ repeat 9223372036854775807 \"abc\" }}",
        "{{ repeat 100000000 \"a\" }}",
        "{{ until 9223372036854775807 }}",
        "{{ untilStep -9223372036854775808 9223372036854775807 1 }}",
        "{{ seq 100000000 }}",
        "{{ seq -9223372036854775808 9223372036854775806 }}",
        "{{ indent 100000000 \"a\" }}",
        "{{ nindent 9223372036854775807 \"a\" }}",
        "{{ indent 10000 (repeat 1000 \"\\n\") }}",
        "{{ randAlphaNum 9223372036854775807 }}",
        "{{ randBytes 100000000 }}",
        "{{ replace \"\" (repeat 10000 \"a\") (repeat 1000 \"b\") }}",
        "{{ $l := until 5000 }}{{ uniq $l }}",
        "{{ $l := until 5000 }}{{ range $l }}{{ $_ := concat $l $l }}{{ end }}",
        "{{ wrapWith 1 (repeat 1000 \"a\") (repeat 10000 \"b\") }}",
        "{{ join (repeat 10000 \"a\") (until 1000) }}",
        "{{ splitList \"\" (repeat 1100000 \"a\") | len }}",
        "{{ $x := \"[\" | repeat 100000 }}{{ fromJson $x }}",
        "{{ $x := list }}{{ range 1000 }}{{ $x = list $x }}{{ end }}{{ toJson $x }}",
        "{{ $x := list }}{{ range 1000 }}{{ $x = list $x }}{{ end }}{{ deepCopy $x }}",
        "{{ $x := list }}{{ $y := list }}{{ range 1000 }}{{ $x = list $x }}{{ $y = list $y }}{{ end }}{{ deepEqual $x $y }}",
        "{{ $x := dict }}{{ $y := dict }}{{ range 1000 }}{{ $x = dict \"a\" $x }}{{ $y = dict \"a\" $y }}{{ end }}{{ merge $x $y }}",
        "{{ range 100000 }}{{ $_ := regexMatch (printf \"a%d\" .) \"a\" }}{{ end }}",
        "{{ $x := repeat 10000 \"a\" }}{{ range 100000 }}{{ $_ := regexMatch \"a{500}b\" $x }}{{ end }}",
        "{{ regexReplaceAll \"\" (repeat 1000 \"a\") (repeat 10000 \"b\") }}",
        "{{ $x := repeat 1000000 \"a\" }}{{ range 10000 }}{{ $_ := contains \"b\" $x }}{{ end }}",
        "{{ $x := repeat 300000 \"a\" }}{{ $y := repeat 300000 \"a\" }}{{ range 10000 }}{{ $_ := eq $x $y }}{{ end }}",
        "{{ $x := repeat 300000 \"a\" }}{{ $y := repeat 300000 \"a\" }}{{ range 10000 }}{{ $_ := has $x (list $y) }}{{ end }}",
        "{{ $l := list (repeat 300000 \"a\") (repeat 300000 \"a\") }}{{ range 10000 }}{{ $_ := sortAlpha $l }}{{ end }}",
        "{{ $x := repeat 300000 \"1\" }}{{ range 10000 }}{{ $_ := toDate $x \"\" }}{{ end }}",
        "{{ range 1000 }}{{ $_ := regexMatch (printf \"%d.{1000}{1000}\" .) \"a\" }}{{ end }}{{ range 1000000 }}{{ end }}",
    ];
    for template in refused {
        let parsed = engine.parse("t", template.as_bytes()).unwrap();
        let error = parsed.render(&Value::Nil).expect_err(template).to_string();
        assert!(error.contains("more than"), "{template}: {error}");
    }
}

#[test]
fn errors_that_are_swallowed_use_up_no_levels_of_nesting() {
    let template = "{{ range 1000 }}{{ $_ := fromJson \"[[x\" }}{{ $_ := toJson (list (list 1i)) }}{{ end }}ok";
    assert_eq!(ok(template), "ok");
}

#[test]
fn a_map_cannot_be_merged_into_itself() {
    let template = "{{ $a := dict }}{{ $b := dict \"a\" $a }}{{ $_ := mergeOverwrite $a (dict \"x\" $b) }}";
    assert!(render(template).unwrap_err().contains("a map cannot contain itself"));
}

#[test]
fn errors_show_no_value() {
    for template in [
        "{{ fail \"hunter2\" }}",
        "{{ mustFromJson \"hunter2\" }}",
        "{{ mustFromJson \"[1, hunter2]\" }}",
        "{{ mustToDate \"2006\" \"hunter2\" }}",
        "{{ mustDateModify \"hunter2\" now }}",
        "{{ semver \"hunter2\" }}",
        "{{ semverCompare \"hunter2\" \"1\" }}",
        "{{ urlParse \"http://hunter2:hunter2:x/%zz\" }}",
        "{{ urlJoin (dict \"userinfo\" \"hunter2 x\") }}",
        "{{ append \"hunter2\" 1 }}",
        "{{ dig \"hunter2\" \"x\" \"hunter2\" }}",
        "{{ substr 100 200 \"hunter2\" }}",
    ] {
        let error = render(template).expect_err(template);
        assert!(!error.contains("hunter2"), "{error}");
    }
}

proptest! {
    #[test]
    fn any_string_survives_each_codec(text: Vec<u8>) {
        let engine = Engine::new(super::all());
        let template = engine.parse("t", b"{{ . | b64enc | b64dec }}|{{ . | b32enc | b32dec }}").unwrap();
        let rendered = template.render(&Value::String(Text::from(text.as_slice()))).unwrap();
        prop_assert_eq!(&**rendered, [text.as_slice(), b"|", &text].concat());
    }

    #[test]
    fn any_text_survives_json(text: String) {
        let engine = Engine::new(super::all());
        let template = engine.parse("t", b"{{ . | toJson | fromJson }}|{{ . | toRawJson | fromJson }}").unwrap();
        let rendered = template.render(&Value::string(&text)).unwrap();
        prop_assert_eq!(String::from_utf8_lossy(&rendered), format!("{text}|{text}"));
    }

    #[test]
    fn shuffling_keeps_the_characters(text in "[a-zäöü]{0,30}", seed: u64) {
        let mut shuffled: Vec<char> = render_with(seed, &format!("{{{{ shuffle \"{text}\" }}}}")).unwrap().chars().collect();
        let mut characters: Vec<char> = text.chars().collect();
        shuffled.sort_unstable();
        characters.sort_unstable();
        prop_assert_eq!(shuffled, characters);
    }

    /// Whatever the arguments, there is an output or an error, and no panic.
    #[test]
    fn any_function_takes_any_arguments(
        function in proptest::sample::select(super::all().map(|(name, _)| name).collect::<Vec<_>>()),
        arguments in proptest::collection::vec(proptest::sample::select(vec![
            "\"\"", "\"a b\"", "\"é\\xff\"", "\"1.2.3\"", "\"http://u@[::1]:1/?#\"", "\"2006-01-02T15:04:05.000Z07:00 MST\"", "\"{\\\"a\\\":[1]}\"",
            "\"Europe/Berlin\"", "\"-1h5m.5s\"", "\"^1.x || >2 - 3\"", "\"YWI=\"", "0", "1", "-1", "3", "9223372036854775807",
            "-9223372036854775808", "1.5", "-0.0", "1e308", "true", "nil", "(list)", "(list 1 \"a\" nil)", "(until 3)", "(dict)",
            "(dict \"a\" (dict \"b\" 1))", "now", "(toDate \"\" \"x\")", "(semver \"1.2.3-a+b\")", "(split \"a\" \"bab\")",
        ]), 0..5),
    ) {
        let _ = render(&format!("{{{{ {function} {} }}}}", arguments.join(" ")));
    }
}
