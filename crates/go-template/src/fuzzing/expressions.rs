//! Templates chosen by bytes.

use std::fmt::Write as _;
use std::slice::Iter;
use std::sync::LazyLock;

use crate::funcs;

/// All functions, in a fixed order, so that the same bytes choose the same functions in each run.
static FUNCTIONS: LazyLock<Vec<&str>> = LazyLock::new(|| {
    const OF_GO: [&str; 18] = [
        "and", "call", "eq", "ge", "gt", "html", "index", "js", "le", "len", "lt", "ne", "not", "or", "print",
        "printf", "println", "urlquery",
    ];
    let mut names: Vec<_> = funcs::all().map(|(name, _)| name).chain(OF_GO).collect();
    names.sort_unstable();
    names
});

/// Functions that take long by design. Only the target `costs` is about that.
const SLOW: [&str; 7] =
    ["bcrypt", "derivePassword", "genCA", "genPrivateKey", "genSelfSignedCert", "genSignedCert", "htpasswd"];

/// Small arguments at the limits of what functions accept.
const ODD: [&str; 68] = [
    "0",
    "1",
    "-1",
    "2",
    "3",
    "7",
    "10",
    "63",
    "64",
    "65",
    "1000000",
    "2147483648",
    "-2147483649",
    "9223372036854775807",
    "-9223372036854775808",
    "0.5",
    "-0.0",
    "1.5",
    "-2.5",
    "1e308",
    "1e-320",
    "1i",
    "'a'",
    "(float64 \"NaN\")",
    "(float64 \"Inf\")",
    "nil",
    "true",
    "false",
    "\"\"",
    "\"a\"",
    "\"ä\"",
    "\"\\xff\\xfe\"",
    "\" \"",
    "\"a b\"",
    "\"\\u2028\\U0010ffff\"",
    "\"1\"",
    "\"-5\"",
    "\"0x1F\"",
    "\"1.2.3\"",
    "\"^1.2\"",
    "\"1h30m\"",
    "\"2006-01-02T15:04:05Z07:00\"",
    "\"2024-02-29\"",
    "\"Europe/Berlin\"",
    "\"%d\"",
    "\"%[2]*.[1]*f\"",
    "\"%#+q\"",
    "\"%v %T %x\"",
    "\"$1\"",
    "\"(a)|b\"",
    "\"[\"",
    "\"http://u:p@h:1/p?q#f\"",
    "\"{\\\"a\\\":[1]}\"",
    "\"a: [1]\"",
    "\"string\"",
    "\"YWJj\"",
    "(list)",
    "(list 1 2 3)",
    "(list \"b\" \"a\" nil 1.5)",
    "(list (list 1) (dict))",
    "(dict)",
    "(dict \"a\" 1 \"b\" (list 1))",
    "(until 5)",
    "now",
    "(duration 90)",
    "(urlParse $.v)",
    "$.v",
    "$.l",
];

/// Arguments that are large or produce large results. `$s`, `$l`, `$m` and `$w` are set beforehand.
const LARGE: [&str; 28] = [
    "$s",
    "$s",
    "$s",
    "$l",
    "$m",
    "$w",
    "$y",
    "1",
    "10",
    "1000",
    "30000",
    "1000000",
    "\"a\"",
    "\"\"",
    "\" \"",
    "\"(a?)*b\"",
    "\"[0-7][0-9a-f]{100}z|.\"",
    "\"(.)(.)(.)\"",
    "\"$1$1$1\"",
    "\"%1000d\"",
    "\"2006-01-02\"",
    "nil",
    "(list $s $s)",
    "(dict \"a\" $s)",
    "(toJson $l)",
    "(toString $s)",
    "(splitList \"\" $s)",
    "now",
];

/// What to do with a result that is kept.
const KEPT: [&str; 4] =
    ["{{ $_ := set $d (toString $i) CALL }}", "{{ $d = list $d CALL }}", "{{ CALL }}", "{{ if CALL }}{{ end }}"];

/// The bytes that choose; missing ones count as zero.
pub(super) struct Choices<'a>(Iter<'a, u8>);

impl<'a> Choices<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes.iter())
    }

    fn next(&mut self) -> usize {
        usize::from(*self.0.next().unwrap_or(&0))
    }

    fn one_of<'t>(&mut self, choices: &[&'t str]) -> &'t str {
        choices[self.next() % choices.len()]
    }

    /// Two bytes, because there may be more than 256 functions in future.
    fn function(&mut self) -> &'static str {
        let choice = self.next() << 8 | self.next();
        FUNCTIONS[choice % FUNCTIONS.len()]
    }

    /// A call whose result is printed in all ways.
    pub(super) fn odd_call(&mut self) -> String {
        let verb = self.one_of(&["%v", "%#v", "%+v", "%s", "%q", "%x", "%d", "%08.3f"]);
        let call = self.odd_argument(0);
        format!(
            "{{{{ $x := {call} }}}}{{{{ printf \"{verb}\" $x }}}}{{{{ toJson $x }}}}{{{{ toYaml $x }}}}\
             {{{{ range $i, $e := $x }}}}{{{{ $e }}}}{{{{ end }}}}"
        )
    }

    fn odd_argument(&mut self, depth: usize) -> String {
        const DEEPEST: usize = 4;
        if depth == DEEPEST || (depth > 0 && self.next() < 150) {
            return self.one_of(&ODD).to_owned();
        }
        let function = self.function();
        if SLOW.contains(&function) {
            return self.one_of(&ODD).to_owned();
        }
        let arguments: Vec<String> = (0..self.next() % 5).map(|_| self.odd_argument(depth + 1)).collect();
        format!("({function} {})", arguments.join(" "))
    }

    /// Up to four calls, each in its own loop.
    pub(super) fn costly_calls(&mut self) -> String {
        let size = |choice: usize| 10_usize.pow(u32::try_from(choice % 8).unwrap_or_default());
        let (text, list) = (size(self.next()), size(self.next()).min(10_000));
        let mut template = format!(
            "{{{{ $s := repeat {text} \"1\" }}}}{{{{ $l := until {list} }}}}{{{{ $m := dict \"a\" $l \"b\" $s }}}}\
             {{{{ $w := repeat {list} \"a b: 1\\n\" }}}}{{{{ $y := printf \"a: &a %s\" $s }}}}{{{{ $d := dict }}}}"
        );
        for _ in 0..=self.next() % 4 {
            let times = size(self.next()).min(100_000);
            let function = self.function();
            let arguments: Vec<_> = (0..self.next() % 5).map(|_| self.one_of(&LARGE)).collect();
            let call = format!("({function} {})", arguments.join(" "));
            let kept = self.one_of(&KEPT).replace("CALL", &call);
            let _ = write!(template, "{{{{ range $i := until {times} }}}}{kept}{{{{ end }}}}");
        }
        template
    }
}
