//! The cost of functions, counted rather than timed: the steps that a call takes from the budget are compared with its
//! text arguments, with the elements that it visited, and with the values that it created.

use std::time::Duration;

use crate::budget::BYTES_PER_STEP;
use crate::functions::Body;
use crate::{Allowance, Engine, Environment, Function, Limits, List, Map, Member, Text, Type, Value, builtins, memory};

/// All template functions. Other functions can only be reached as methods, which `receivers` have.
fn functions() -> impl Iterator<Item = (&'static str, Function)> {
    builtins::all().into_iter().chain(super::all())
}

/// The length of the texts.
const LEN: usize = 1 << 16;

/// The steps that a call may take.
const STEPS: usize = 5000;

fn text(pattern: &str) -> Value {
    Value::String(Text::from(pattern.repeat(LEN / pattern.len()).as_str()))
}

fn list(items: Vec<Value>) -> Value {
    Value::List(List::new(&Type::Any, items))
}

fn map(entries: Vec<(&str, Value)>) -> Value {
    Value::Map(Map::from_entries(
        &Type::Any,
        entries.into_iter().map(|(key, value)| (Text::from(key), value)).collect(),
    ))
}

/// The same value twice on each of `levels` levels, so that a function that traverses it visits 2^levels elements.
fn shared(levels: usize, container: fn(Value) -> Value) -> Value {
    (0..levels).fold(Value::string("x"), |value, _| container(value))
}

fn twice_in_list(value: Value) -> Value {
    list(vec![value.clone(), value])
}

fn twice_in_map(value: Value) -> Value {
    map(vec![("a", value.clone()), ("b", value)])
}

/// Values for parameters: large ones, odd ones, and ones of another type.
struct Pool {
    texts: Vec<Value>,
    maps: Vec<Value>,
    lists: Vec<Value>,
    others: Vec<Value>,
}

impl Pool {
    fn new() -> Self {
        let patterns = [
            "a",
            "1",
            "é",
            "\u{feff}\u{85}",
            "aB-",
            "%[",
            "a.",
            "<<: *a\n",
            "- ",
            "[",
            "{\"a\":",
            "\\",
            "-----BEGIN A-----\n",
            "-----END A-----\n",
        ];
        let texts: Vec<Value> = patterns.into_iter().map(text).chain([Value::string("")]).collect();
        let long = &texts[0];
        let many: Vec<(String, Value)> = (0..200).map(|key| (format!("k{key}"), long.clone())).collect();
        let maps = vec![
            shared(20, twice_in_map),
            map(vec![]),
            map(many.iter().map(|(key, value)| (key.as_str(), value.clone())).collect()),
            map(vec![("path", texts[5].clone()), ("userinfo", long.clone()), ("a", Value::Nil)]),
        ];
        let lists = vec![shared(20, twice_in_list), list(vec![]), list(vec![long.clone(); 200]), list(texts.clone())];
        let bytes = Value::Bytes(Text::from(vec![0xff; LEN]));
        let others =
            vec![bytes, Value::Nil, Value::Bool(true), Value::Float(1e308), Value::int(i64::MAX), Value::int(-1)];
        Self { texts, maps, lists, others: [others, receivers()].concat() }
    }

    /// The value with a number, for a parameter.
    fn choose(&self, of: Type, number: usize) -> Value {
        let numbers = [0, 1, -1, 3, 1000, i64::MAX, i64::MIN];
        let all: Vec<Value> = match of {
            Type::String => self.texts.clone(),
            Type::Int(kind) => numbers.into_iter().map(|number| Value::Int(kind, number)).collect(),
            Type::Uint(kind) => [0, 1, u64::MAX].into_iter().map(|number| Value::Uint(kind, number)).collect(),
            Type::Bool => vec![Value::Bool(true), Value::Bool(false)],
            Type::Float => vec![Value::Float(1e308), Value::Float(f64::NAN)],
            Type::Map(_) => self.maps.clone(),
            Type::Slice(_) => self.lists.clone(),
            _ => [&self.texts, &self.maps, &self.lists, &self.others].into_iter().flatten().cloned().collect(),
        };
        all[number % all.len()].clone()
    }

    /// The arguments of a call: the parameters get the values with consecutive numbers.
    fn arguments(&self, function: &Function, variant: usize) -> Vec<Value> {
        let parameters = function.parameters.iter().chain(function.variadic.iter().cycle().take(3));
        parameters.enumerate().map(|(at, of)| self.choose(*of, variant + at)).collect()
    }
}

/// Values with methods.
fn receivers() -> Vec<Value> {
    let engine = Engine::new(super::all());
    let mut made = Vec::new();
    for template in ["{{ set . \"x\" now }}", "{{ set . \"x\" (semver \"1.2.3-a+b\") }}", "{{ set . \"x\" now.Month }}"]
    {
        let data = Map::new(&Type::Any);
        engine.parse("t", template.as_bytes()).unwrap().render(&Value::Map(data.clone())).unwrap();
        made.extend(data.get(b"x"));
    }
    made
}

/// How many numbers to try.
const VARIANTS: usize = 30;

/// The result of a call.
struct Cost {
    steps: usize,
    work: usize,
    result: Result<(), String>,
}

/// Calls a function.
fn call(name: &str, arguments: &[Value], limits: Limits) -> Cost {
    let fields: Vec<String> = (0..arguments.len()).map(|at| format!(" .a{at}")).collect();
    evaluate(&format!("{name}{}", fields.concat()), arguments, limits)
}

/// Calls a method of the first argument.
fn call_method(name: &str, arguments: &[Value], limits: Limits) -> Cost {
    let fields: Vec<String> = (1..arguments.len()).map(|at| format!(" .a{at}")).collect();
    evaluate(&format!(".a0.{name}{}", fields.concat()), arguments, limits)
}

/// Evaluates an expression whose arguments are `.a0`, `.a1` and so on.
fn evaluate(expression: &str, arguments: &[Value], limits: Limits) -> Cost {
    let still = Environment::system().with_cpu_time(|| Duration::ZERO);
    let engine = Engine::new(super::all()).with_limits(limits).with_environment(still);
    let names: Vec<String> = (0..arguments.len()).map(|at| format!("a{at}")).collect();
    let entries = names.iter().map(String::as_str).zip(arguments.iter().cloned()).collect();
    let template = engine.parse("t", format!("{{{{ $x := {expression} }}}}").as_bytes()).unwrap();
    let data = map(entries);
    let mut allowance = Allowance::new();
    let work_before = memory::work();
    let result = template.render_within(&data, &mut allowance);
    Cost {
        steps: Allowance::STEPS - allowance.steps_left(),
        work: memory::work().wrapping_sub(work_before),
        result: result.map(drop).map_err(|error| error.to_string()),
    }
}

fn texts_of(arguments: &[Value]) -> usize {
    let len = |value: &Value| match value {
        Value::String(text) | Value::Bytes(text) => text.len(),
        _ => 0,
    };
    arguments.iter().map(len).sum()
}

#[test]
fn every_function_pays_for_what_it_is_given_and_for_what_it_looks_at() {
    let pool = Pool::new();
    let limits = Limits { steps: STEPS, memory: 64 << 20, ..Limits::default() };
    for (name, function) in functions() {
        // These two return an argument, and only check whether it is empty.
        let reads = !matches!(function.body, Body::And | Body::Or);
        let mut was_read = false;
        for variant in 0..VARIANTS {
            let arguments = pool.arguments(&function, variant);
            let given = texts_of(&arguments);
            let cost = call(name, &arguments, limits);
            // If rendering fails, nothing is charged to the allowance.
            if cost.result.is_ok() && reads {
                let least = given / BYTES_PER_STEP;
                assert!(cost.steps >= least, "{name}, {variant}: {} steps for {least}", cost.steps);
            }
            was_read |= given >= LEN;
            // What the steps pay for, and a container whose elements are visited all at once.
            let most = STEPS * BYTES_PER_STEP + 4 * given + 1000 * LEN;
            assert!(cost.work <= most, "{name}, {variant}: {} of {most}: {:?}", cost.work, cost.result);
        }
        let takes_texts = function.parameters.iter().chain(&function.variadic).any(Type::takes_text);
        assert!(was_read || !takes_texts, "{name} was never given a long text");
    }
}

impl Type {
    const fn takes_text(&self) -> bool {
        matches!(self, Self::String | Self::Any | Self::Reflect)
    }
}

#[test]
fn methods_cost_what_they_are_given_too() {
    let pool = Pool::new();
    let limits = Limits { steps: STEPS, memory: 64 << 20, ..Limits::default() };
    let mut seen = 0;
    for receiver in receivers() {
        for name in [
            "Format",
            "AppendFormat",
            "SetPrerelease",
            "SetMetadata",
            "In",
            "Compare",
            "Add",
            "Round",
            "Truncate",
            "String",
        ] {
            let Some(Member::Method(method)) = receiver.member(name.as_bytes()) else { continue };
            for variant in 0..VARIANTS {
                let given = pool.arguments(&method, variant);
                let all = [std::slice::from_ref(&receiver), &given].concat();
                let cost = call_method(name, &all, limits);
                assert!(cost.result.is_err() || cost.steps >= texts_of(&given) / BYTES_PER_STEP, "{name}, {variant}");
                seen += 1;
            }
        }
    }
    assert!(seen > VARIANTS);
}

#[test]
fn values_are_counted_as_long_as_they_are_there() {
    let before = memory::held();
    let long = Text::from(vec![b'x'; 1000]);
    assert!(memory::held() - before >= 1000);
    let values = vec![Value::String(long.clone()); 100];
    let shared = memory::held() - before;
    assert!(shared < 1200, "{shared}: a clone holds nothing more");
    let listed = list(values);
    assert!(memory::held() - before >= shared + 100 * size_of::<Value>());
    let small = list((0..100).map(|_| map(vec![("a", Value::Nil)])).collect());
    // A map allocates room for eleven entries with the first one.
    assert!(memory::held() - before >= shared + 100 * 11 * (size_of::<Text>() + size_of::<Value>()));
    drop((long, listed, small));
    assert_eq!(memory::held(), before);
}

#[test]
fn a_map_that_grows_and_shrinks_is_counted_as_it_is() {
    let before = memory::held();
    let template = "{{ $d := dict }}{{ range 1000 }}{{ $_ := set $d (toString .) . }}{{ end }}{{ range 1000 }}{{ $_ := unset $d (toString .) }}{{ end }}{{ len $d }}";
    let engine = Engine::new(super::all());
    let rendered = engine.parse("t", template.as_bytes()).unwrap().render(&Value::Nil).unwrap();
    assert_eq!(&**rendered, b"0");
    drop(rendered);
    assert_eq!(memory::held(), before);
}

#[test]
fn what_is_kept_is_bounded_whatever_made_it() {
    let engine = Engine::new(super::all());
    let keep = |call: &str| {
        let template = format!(
            "{{{{ $s := repeat 500000 \"1\" }}}}{{{{ $d := dict }}}}{{{{ range until 100 }}}}{{{{ $_ := set $d (toString .) ({call}) }}}}{{{{ end }}}}"
        );
        engine.parse("t", template.as_bytes()).unwrap().render(&Value::Nil).map(drop).unwrap_err().to_string()
    };
    for call in [
        "genPrivateKey $s",
        "htpasswd $s \"a\" \"sha\"",
        "htpasswd (print \":\" $s) \"a\" \"sha\"",
        "derivePassword 1 $s \"a\" \"b\" \"c\"",
        "print $s",
        "upper $s",
        "list $s | toJson",
        "splitList \"\" $s",
        "dict \"a\" (b64enc $s)",
        "genCA $s 1",
        "semver (print \"1.0.0-\" $s)",
        "until 10000",
        "fromJson (printf \"[%s]\" (repeat 10000 \"{},\" | trimSuffix \",\"))",
        "fromYaml (printf \"a: [%s]\" (repeat 10000 \"{a},\"))",
    ] {
        let error = keep(call);
        assert!(error.contains("the template holds more than 16777216 bytes in memory"), "{call}: {error}");
    }
}

#[test]
fn what_was_free_once_uses_the_budget_up() {
    let engine = Engine::new(super::all()).with_limits(Limits { steps: 20_000, ..Limits::default() });
    for call in [
        "htpasswd \"u\" $s \"sha\"",
        "contains $s \"a\"",
        "trimAll $s \"a\"",
        "add $s $s $s",
        "add1f $s",
        "int64 $s",
        "atoi $s",
        "max 1 $s",
        "round $s 1",
        "dateInZone \"2006\" 0 $s",
        "htmlDateInZone 0 $s",
        "isAbs $s",
        "plural $s $s 1",
        "kindIs $s 1",
        "typeIs $s 1",
        "hasPrefix $s \"a\"",
        "ternary $s $s true",
        "len $s",
        "eq $s \"a\" \"b\"",
    ] {
        let template =
            format!("{{{{ $s := repeat 1000000 \"1\" }}}}{{{{ range 1000 }}}}{{{{ $x := {call} }}}}{{{{ end }}}}");
        let error =
            engine.parse("t", template.as_bytes()).unwrap().render(&Value::Nil).map(drop).unwrap_err().to_string();
        assert!(error.contains("the template takes more than 20000 steps"), "{call}: {error}");
    }
}

#[test]
fn a_format_of_nothing_but_brackets_is_read_once() {
    let engine = Engine::new(super::all());
    let template = engine.parse("t", b"{{ printf (repeat 1000000 \"%[\") 1 | len }}").unwrap();
    assert!(template.render(&Value::Nil).is_ok());
}

#[test]
fn a_replacement_makes_no_more_than_there_is_room_for() {
    let engine = Engine::new(super::all());
    let template = "{{ regexReplaceAll \"a\" (repeat 10 \"a\") (repeat 1000000 \"b\") | len }}";
    let error = engine.parse("t", template.as_bytes()).unwrap().render(&Value::Nil).map(drop).unwrap_err();
    assert!(error.to_string().contains("the template holds more than 16777216 bytes in memory"), "{error}");
}

#[test]
fn a_template_has_a_bound_on_its_parts_however_short_they_are() {
    let engine = Engine::new(super::all());
    for part in ["{{1}}", "{{if 1}}{{end}}", "a{{$}}", "{{print 1 1 1 1}}", "{{(1)}}", "{{define \"a\"}}{{end}}{{.}}"] {
        let text = part.repeat((1 << 20) / part.len());
        let error = engine.parse("t", text.as_bytes()).map(drop).unwrap_err();
        assert!(error.to_string().contains("more than 20000 texts, actions and operands"), "{part}: {error}");
        let text = part.repeat(Engine::MAX_PARTS / 10);
        assert!(engine.parse("t", text.as_bytes()).is_ok(), "{part}");
    }
}

#[test]
fn templates_of_an_object_pay_for_being_parsed() {
    let engine = Engine::new(super::all());
    let (comment, never) = (format!("{{{{/* {} */}}}}", "a".repeat(900_000)), "{{1}}".repeat(9_000));
    for text in [comment, format!("{{{{if false}}}}{never}{{{{end}}}}"), "a".repeat(900_000)] {
        let mut allowance = Allowance::new();
        let parsed = (0..1000).take_while(|_| engine.parse_within("t", text.as_bytes(), &mut allowance).is_ok());
        assert!((10..500).contains(&parsed.count()));
        let error = engine.parse_within("t", text.as_bytes(), &mut allowance).map(drop).unwrap_err();
        assert!(error.to_string().contains("take more than 4000000 steps"), "{error}");
    }
}

#[test]
fn a_use_of_a_variable_is_parsed_in_no_time_however_many_there_are() {
    let engine = Engine::new(super::all());
    let declared = (0..990).map(|number| format!("{{{{$v{number} := 1}}}}")).collect::<Vec<_>>().concat();
    let uses = "{{$v0}}".repeat(5_000);
    let inner = "{{range $v0 := list 1}}{{$v0}}{{end}}{{$v0}}";
    assert!(engine.parse("t", format!("{declared}{uses}{inner}").as_bytes()).is_ok());
    let error = engine.parse("t", b"{{range $x := list 1}}{{$x}}{{end}}{{$x}}").map(drop).unwrap_err();
    assert!(error.to_string().contains("undefined variable \"$x\""), "{error}");
}

/// An engine whose clock advances by a second whenever it is read.
fn hurried() -> Engine {
    let seconds = std::sync::atomic::AtomicU64::new(0);
    let clock = move || Duration::from_secs(seconds.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
    Engine::new(super::all()).with_environment(Environment::system().with_cpu_time(clock))
}

#[test]
fn a_template_ends_when_the_processor_has_worked_for_long_enough() {
    let engine = hurried();
    let error = engine.parse("t", b"{{ range 900000 }}{{ end }}").unwrap().render(&Value::Nil).map(drop).unwrap_err();
    assert!(error.to_string().contains("take more than 15 s of the processor: make fewer keys"), "{error}");
}

#[test]
fn templates_of_an_object_share_the_time_of_the_processor() {
    let engine = hurried();
    let template = engine.parse("t", b"{{ range 2000 }}{{ end }}").unwrap();
    let mut allowance = Allowance::new();
    let done = (0..20).take_while(|_| template.render_within(&Value::Nil, &mut allowance).is_ok()).count();
    assert!((2..10).contains(&done), "{done}");
}
