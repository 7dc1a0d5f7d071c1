//! The table of events at a target and what happens to its values, row by row.

use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use rstest::rstest;
use serde_json::{Value, json};

use super::annotation::annotation;
use super::*;
use crate::api::ServedVersion;
use crate::sync::plan;

const OWNER_LABEL: &str = "reconcile.external-secrets.io/created-by";

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_000_000 + seconds).unwrap()
}

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(ToString::to_string).collect()
}

/// An ExternalSecret with one Password during a sync.
struct Case {
    meta: ObjectMeta,
    spec: Value,
    status: Option<ExternalSecretStatus>,
    target: Option<Secret>,
    texts: Option<String>,
    reason: Reason,
    now: Timestamp,
}

fn generator_entry(name: &str) -> Value {
    json!({"sourceRef": {"generatorRef": {"apiVersion": "generators.external-secrets.io/v1alpha1", "kind": "Password", "name": name}}})
}

impl Case {
    /// Synced at time 0 with an interval of an hour. The target is as it was written, with a record.
    fn synced() -> Self {
        let meta = ObjectMeta {
            name: Some("example".into()),
            namespace: Some("default".into()),
            uid: Some("u".into()),
            generation: Some(1),
            ..ObjectMeta::default()
        };
        let mut case = Self {
            meta,
            spec: json!({"refreshInterval": "1h", "dataFrom": [generator_entry("p")]}),
            status: None,
            target: None,
            texts: None,
            reason: Reason::Changed,
            now: at(10),
        };
        case.write(at(0));
        case
    }

    fn spec(&self) -> ExternalSecretSpec {
        serde_json::from_value(self.spec.clone()).unwrap()
    }

    fn with_spec(mut self, change: &Value) -> Self {
        self.spec.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        self
    }

    fn because(mut self, reason: Reason) -> Self {
        self.reason = reason;
        self
    }

    fn entries(&self) -> Vec<Entry> {
        let spec = self.spec();
        let entries = spec.data_from.iter().enumerate();
        entries
            .filter(|(_, entry)| entry.source_ref.is_some())
            .map(|(index, entry)| {
                let key = entry.rewrite.first().map_or("password", |_| "renamed");
                let keys = Some(names(&[key]));
                Entry { index, hash: entry_hash(entry), making: Making::Minted, keys }
            })
            .collect()
    }

    /// Writes what was decided into the target, as this controller does, and into the status.
    fn write(&mut self, time: Timestamp) {
        self.write_target(time);
        self.write_status(time);
    }

    fn write_status(&mut self, time: Timestamp) {
        self.status = Some(ExternalSecretStatus {
            refresh_time: Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(time)),
            synced_resource_version: Some(hash::synced_resource_version(&self.meta)),
            ..ExternalSecretStatus::default()
        });
    }

    fn write_target(&mut self, time: Timestamp) {
        let spec = self.spec();
        let owner = Owner::new(&self.meta, &spec, ServedVersion::V1);
        let entries = self.entries().into_iter();
        let recorded: Vec<_> = entries
            .map(|entry| Recorded { entry: entry.hash, keys: entry.keys.unwrap(), made: time, until: None })
            .collect();
        let has_template = spec.target.as_ref().is_some_and(|target| target.template.is_some());
        let keys = has_template.then(|| names(&["password"]));
        let text = record(owner, &self.entries(), recorded, keys, self.texts.clone()).text().unwrap();
        let data = SecretData::from([("password".to_owned(), SecretValue::new(b"minted".to_vec().into()))]);
        let plan = plan::build(owner.with_record(Some(&text)), &data, None, None).unwrap();
        let plan::Plan::Create(secret) = plan else { panic!("{plan:?}") };
        let mut secret = secret.object().clone();
        set_managed_fields(&mut secret, &["password"]);
        self.target = Some(secret);
    }

    fn target(&mut self) -> &mut Secret {
        self.target.as_mut().unwrap()
    }

    /// Removes what this controller recorded, as on a Secret that ESO wrote.
    fn of_eso(mut self) -> Self {
        let annotations = self.target().metadata.annotations.as_mut().unwrap();
        annotations.retain(|name, _| !name.contains("/record-"));
        self
    }

    fn without_owner(mut self) -> Self {
        self.target().metadata = ObjectMeta { name: Some("example".into()), ..ObjectMeta::default() };
        self
    }

    fn edited(mut self, key: &str, value: Option<&str>) -> Self {
        let data = self.target().data.as_mut().unwrap();
        match value {
            Some(value) => drop(data.insert(key.to_owned(), ByteString(value.into()))),
            None => drop(data.remove(key)),
        }
        // Whoever changes a value becomes its manager.
        let left: Vec<_> = ["password"].into_iter().filter(|own| *own != key).collect();
        set_managed_fields(self.target(), &left);
        self
    }

    fn decision(&self) -> Decision {
        let spec = self.spec();
        decide(self.situation(&spec), &self.entries())
    }

    fn situation<'a>(&'a self, spec: &'a ExternalSecretSpec) -> Situation<'a> {
        let target = self.target.as_ref().map(|secret| Target {
            meta: &secret.metadata,
            data: secret.data.as_ref(),
            is_intact: plan::is_intact(secret),
        });
        let owner = Owner::new(&self.meta, spec, ServedVersion::V1);
        let (status, texts) = (self.status.as_ref(), self.texts.as_deref());
        Situation { owner, status, reason: self.reason, target, texts, now: self.now }
    }

    /// Writes the record of a target that is left as it is.
    fn leave(&mut self) {
        let spec = self.spec();
        let text = record_of_left(self.situation(&spec), &self.entries()).text().unwrap();
        let annotations = self.target().metadata.annotations.get_or_insert_default();
        annotations.insert(annotation("default", "example"), text);
    }

    /// What an earlier version recorded, which did not include the templates in other objects.
    fn of_earlier_version(mut self) -> Self {
        let annotations = self.target().metadata.annotations.as_mut().unwrap();
        let record = annotations.get_mut(&annotation("default", "example")).unwrap();
        let mut content: Value = serde_json::from_str(record).unwrap();
        assert!(content["rendered"].as_object_mut().unwrap().remove("texts").is_some());
        *record = content.to_string();
        self
    }

    fn choice(&self) -> Choice {
        match self.decision() {
            Decision::Each(mut choices) => choices.remove(0),
            other => panic!("{other:?}"),
        }
    }

    fn is_kept(&self) -> bool {
        match self.decision() {
            Decision::Each(choices) => matches!(choices[0], Choice::Keep { .. }),
            Decision::Leave { .. } => true,
            Decision::NotWritten => false,
        }
    }
}

fn set_managed_fields(secret: &mut Secret, keys: &[&str]) {
    let fields: serde_json::Map<_, _> = keys.iter().map(|key| (format!("f:{key}"), json!({}))).collect();
    let entry = json!([{
        "manager": "externalsecrets.external-secrets.io/example", "operation": "Update",
        "fieldsV1": {"f:data": fields, "f:metadata": {}},
    }]);
    secret.metadata.managed_fields = serde_json::from_value(entry).unwrap();
}

/// With a template that only labels the target.
fn labeled(case: Case, label: &str) -> Case {
    case.with_spec(&json!({"target": {"template": {"metadata": {"labels": {"app": label}}}}}))
}

/// With a template that makes a key from the password.
fn templated(case: Case) -> Case {
    let mut case = case.with_spec(&json!({"target": {"template": {"data": {"password": "{{ .password }}"}}}}));
    case.write(at(0));
    case
}

#[test]
fn first_sync_without_a_target_mints() {
    let mut case = Case::synced().because(Reason::First);
    (case.status, case.target) = (None, None);
    assert_eq!(case.choice(), Choice::Mint(Cause::New));
}

#[test]
fn an_interval_that_is_over_mints() {
    assert_eq!(Case::synced().because(Reason::Interval).choice(), Choice::Mint(Cause::Due));
    assert_eq!(Case::synced().of_eso().because(Reason::Interval).choice(), Choice::Mint(Cause::Due));
    assert_eq!(templated(Case::synced()).because(Reason::Interval).choice(), Choice::Mint(Cause::Due));
}

#[rstest]
#[case("force-sync")]
#[case("external-secrets.io/force-sync")]
fn force_sync_mints_once(#[case] annotation: &str) {
    for mut case in [Case::synced(), Case::synced().of_eso(), templated(Case::synced())] {
        case.meta.annotations = Some([(annotation.to_owned(), "1".to_owned())].into());
        assert_eq!(case.choice(), Choice::Mint(Cause::Forced));
        // The request is fulfilled, even if the status does not say so.
        case.write_target(at(10));
        assert!(case.is_kept());
    }
}

#[test]
fn an_entry_that_changed_itself_mints() {
    let other = Case::synced().with_spec(&json!({"dataFrom": [generator_entry("other")]}));
    assert_eq!(other.choice(), Choice::Mint(Cause::EntryChanged));
    let mut rewritten = generator_entry("p");
    rewritten["rewrite"] = json!([{"regexp": {"source": "password", "target": "renamed"}}]);
    let rewritten = Case::synced().with_spec(&json!({"dataFrom": [rewritten]}));
    assert_eq!(rewritten.choice(), Choice::Mint(Cause::New), "the target has no such key");
}

#[test]
fn a_lost_status_keeps_what_is_in_a_target_of_this_external_secret() {
    let lost = |mut case: Case| {
        case.status = None;
        case.because(Reason::First)
    };
    assert!(lost(Case::synced()).is_kept(), "by the record");
    assert!(lost(Case::synced().of_eso()).is_kept(), "by the label");
    let mut orphan = lost(Case::synced().of_eso());
    orphan.target().metadata.labels.as_mut().unwrap().remove(OWNER_LABEL);
    assert!(orphan.is_kept(), "by who wrote its fields");
    assert!(lost(templated(Case::synced())).is_kept(), "with a template");
    let mut anew = lost(Case::synced());
    anew.meta.uid = Some("another".into());
    assert!(anew.is_kept(), "made anew");
    let mut restored = lost(Case::synced());
    restored.meta.annotations = Some([("force-sync".to_owned(), "old".to_owned())].into());
    assert!(restored.is_kept(), "restored with an annotation of earlier");
}

#[test]
fn a_lost_status_with_created_once_keeps_what_somebody_else_wrote_if_all_keys_are_there() {
    let foreign = |policy: &str| {
        let mut case = Case::synced().without_owner().with_spec(&json!({"refreshPolicy": policy}));
        case.status = None;
        case.because(Reason::First)
    };
    assert!(foreign("CreatedOnce").is_kept());
    assert_eq!(foreign("Periodic").choice(), Choice::Mint(Cause::New));
    let lacking = foreign("CreatedOnce").edited("password", None);
    assert_eq!(lacking.without_owner().choice(), Choice::Mint(Cause::New));
    let mut rendered =
        foreign("CreatedOnce").with_spec(&json!({"target": {"template": {"data": {"password": "{{ .password }}"}}}}));
    assert!(rendered.is_kept());
    rendered.spec["target"]["template"]["data"]["other"] = "{{ .password }}".into();
    assert_eq!(rendered.choice(), Choice::Mint(Cause::New));
}

#[rstest]
#[case(json!({"refreshInterval": "0"}))]
#[case(json!({"refreshPolicy": "CreatedOnce"}))]
fn what_is_made_once_is_kept_whatever_changes(#[case] once: Value) {
    let mut case = Case::synced().with_spec(&once);
    case.meta.annotations = Some([("force-sync".to_owned(), "1".to_owned())].into());
    case.meta.generation = Some(2);
    let case = case.with_spec(&json!({"dataFrom": [generator_entry("other")]}));
    assert!(case.is_kept());
    assert!(case.of_eso().is_kept());
    let rendered = templated(Case::synced().with_spec(&once));
    let rendered = rendered.with_spec(&json!({"target": {"template": {"data": {"x": "{{ .password }}"}}}}));
    assert!(rendered.is_kept());
    assert!(rendered.because(Reason::TemplatesChanged).is_kept());
}

#[test]
fn a_label_or_an_annotation_keeps() {
    for mut case in
        [Case::synced(), Case::synced().of_eso(), templated(Case::synced()), templated(Case::synced()).of_eso()]
    {
        case.meta.labels = Some([("app".to_owned(), "x".to_owned())].into());
        case.meta.annotations = Some([("argocd.argoproj.io/tracking-id".to_owned(), "x".to_owned())].into());
        assert!(case.is_kept());
    }
}

#[test]
fn another_part_of_the_spec_keeps_and_one_more_entry_mints_its_own() {
    let mut case = Case::synced();
    case.meta.generation = Some(2);
    let more = case.with_spec(&json!({"dataFrom": [generator_entry("other"), generator_entry("p")]}));
    let Decision::Each(choices) = more.decision() else { panic!("{:?}", more.decision()) };
    assert_eq!(choices[0], Choice::Mint(Cause::EntryChanged));
    assert!(matches!(choices[1], Choice::Keep { .. }), "{choices:?}");
    let mut interval = templated(Case::synced()).with_spec(&json!({"refreshInterval": "2h"}));
    interval.meta.generation = Some(2);
    assert!(interval.is_kept(), "nothing is to be rendered anew");
}

#[test]
fn what_must_be_rendered_again_is_minted() {
    let changed = |case: Case| {
        let mut case = case.with_spec(&json!({"target": {"template": {"data": {"password": "x{{ .password }}"}}}}));
        case.meta.generation = Some(2);
        case
    };
    assert_eq!(changed(templated(Case::synced())).choice(), Choice::Mint(Cause::Rendered));
    assert_eq!(changed(templated(Case::synced()).of_eso()).choice(), Choice::Mint(Cause::Rendered));
    let mut templates = of_config_map().because(Reason::TemplatesChanged);
    templates.texts = Some("changed".to_owned());
    assert_eq!(templates.choice(), Choice::Mint(Cause::Rendered));
    let mut unseen = of_config_map();
    unseen.texts = Some("changed".to_owned());
    assert_eq!(unseen.choice(), Choice::Mint(Cause::Rendered), "a change while no controller ran");
}

/// With a template that adds a key to the password.
fn merged(template: &Value) -> Case {
    let mut case =
        Case::synced().with_spec(&json!({"target": {"template": {"mergePolicy": "Merge", "data": template}}}));
    case.write(at(0));
    case
}

fn with_template(case: Case, policy: &str, template: &Value) -> Case {
    let mut case = case.with_spec(&json!({"target": {"template": {"mergePolicy": policy, "data": template}}}));
    case.meta.generation = Some(2);
    case
}

#[test]
fn a_template_that_only_adds_keys_is_rendered_again_with_the_same_value() {
    let (one, other) = (json!({"url": "a{{ .password }}"}), json!({"url": "b{{ .password }}"}));
    let is_kept_one_by_one = |case: &Case| matches!(case.choice(), Choice::Keep { .. });
    assert!(is_kept_one_by_one(&merged(&one)));
    assert!(is_kept_one_by_one(&with_template(merged(&one), "Merge", &other)));
    assert!(is_kept_one_by_one(&with_template(merged(&one).of_eso(), "Merge", &other)));
    assert_eq!(merged(&one).because(Reason::Interval).choice(), Choice::Mint(Cause::Due));
    // Its key would hold what the template made.
    let replaced = with_template(merged(&one), "Merge", &json!({"password": "x{{ .password }}"}));
    assert_eq!(replaced.choice(), Choice::Mint(Cause::Rendered));
    let after = with_template(templated(Case::synced()), "Merge", &one);
    assert_eq!(after.choice(), Choice::Mint(Cause::Rendered), "so it did before");
    let made_once = merged(&one).with_spec(&json!({"refreshPolicy": "CreatedOnce"}));
    assert!(matches!(made_once.decision(), Decision::Leave { .. }));
}

/// With a template from a ConfigMap.
fn of_config_map() -> Case {
    let from = json!([{"configMap": {"name": "templates", "items": [{"key": "password"}]}}]);
    let mut case = Case::synced().with_spec(&json!({"target": {"template": {"templateFrom": from}}}));
    case.texts = Some("unchanged".to_owned());
    case.write(at(0));
    case
}

#[test]
fn templates_that_are_read_for_the_first_time_or_did_not_change_themselves_keep() {
    for mut case in [of_config_map(), of_config_map().of_earlier_version(), of_config_map().of_eso()] {
        for reason in [Reason::TemplatesChanged, Reason::Changed] {
            case.reason = reason;
            assert!(matches!(case.decision(), Decision::Leave { .. }), "{:?}", case.decision());
        }
        // From now on the record includes them.
        case.leave();
        case.texts = Some("changed".to_owned());
        assert_eq!(case.choice(), Choice::Mint(Cause::Rendered));
    }
}

#[test]
fn only_a_decision_that_depends_on_them_reads_the_templates() {
    let needs = |case: &Case| needs_texts(case.situation(&case.spec()), &case.entries());
    assert!(needs(&of_config_map()));
    assert!(!needs(&Case::synced()));
    assert!(!needs(&of_config_map().with_spec(&json!({"refreshInterval": "0"}))));
    let mut absent = of_config_map();
    absent.target = None;
    assert!(!needs(&absent));
}

#[test]
fn a_template_without_data_keeps() {
    let mut one = labeled(Case::synced(), "one");
    one.meta.generation = Some(2);
    assert!(one.is_kept(), "a template is added");
    one.write(at(0));
    let two = labeled(one, "two");
    assert!(two.is_kept(), "the template changes");
    let more = two.with_spec(&json!({"dataFrom": [generator_entry("p"), generator_entry("other")]}));
    let Decision::Each(choices) = more.decision() else { panic!("{:?}", more.decision()) };
    assert!(matches!(choices[0], Choice::Keep { .. }), "{choices:?}");
    assert_eq!(choices[1], Choice::Mint(Cause::EntryChanged));
    let mut synced = labeled(Case::synced(), "one");
    synced.write(at(0));
    assert!(synced.because(Reason::Expiry).is_kept(), "a token beside the password ends");
    let mut foreign =
        labeled(Case::synced(), "one").without_owner().with_spec(&json!({"refreshPolicy": "CreatedOnce"}));
    foreign.status = None;
    assert!(foreign.because(Reason::First).is_kept(), "somebody else's target that has all keys");
}

#[test]
fn a_minted_key_that_somebody_changed_or_removed_is_minted() {
    for case in [Case::synced(), templated(Case::synced())] {
        let case = case.because(Reason::TargetChanged);
        assert_eq!(case.edited("password", Some("theirs")).choice(), Choice::Mint(Cause::Lost));
    }
    let removed = Case::synced().because(Reason::TargetChanged).edited("password", None);
    assert_eq!(removed.choice(), Choice::Mint(Cause::Lost));
    let mut gone = Case::synced().because(Reason::TargetChanged);
    gone.target = None;
    assert_eq!(gone.choice(), Choice::Mint(Cause::New));
}

#[test]
fn another_key_of_the_target_keeps() {
    let case = Case::synced().because(Reason::TargetChanged).edited("other", Some("theirs"));
    assert!(case.is_kept());
    let rendered = templated(Case::synced()).because(Reason::TargetChanged).edited("other", Some("theirs"));
    assert_eq!(rendered.decision(), Decision::Leave { written: Some(names(&["password"])) });
}

#[test]
fn another_key_of_a_target_that_was_restored_keeps() {
    let marks = json!({"f:labels": {"f:reconcile.external-secrets.io/managed": {}}});
    for case in [Case::synced(), templated(Case::synced())] {
        let mut case = case.because(Reason::TargetChanged).edited("other", Some("theirs"));
        let mut fields = |change: &dyn Fn(&mut ManagedFieldsEntry)| {
            change(&mut case.target().metadata.managed_fields.as_mut().unwrap()[0]);
            case.decision()
        };
        let lost = Decision::Each(vec![Choice::Mint(Cause::Lost)]);
        assert_eq!(fields(&|entry| entry.manager = Some("kubectl-edit".into())), lost);
        let restored = fields(&|entry| entry.fields_v1.as_mut().unwrap().0["f:metadata"] = marks.clone());
        assert_ne!(restored, lost);
        let another = "externalsecrets.external-secrets.io/another";
        assert_eq!(fields(&|entry| entry.manager = Some(another.into())), lost);
    }
}

#[test]
fn what_another_controller_or_an_interrupted_sync_has_minted_is_kept() {
    // The target was written at time 3600; the status still reports the refresh before.
    for mut case in [Case::synced(), templated(Case::synced())] {
        case.write_target(at(3600));
        case.now = at(3601);
        assert!(case.because(Reason::Interval).is_kept());
    }
}

#[test]
fn hashes_of_an_eso_before_0_16_2_are_taken_for_intact() {
    let mut case = Case::synced().of_eso();
    let md5 = "d41d8cd98f00b204e9800998ecf8427e".to_owned();
    case.target()
        .metadata
        .annotations
        .as_mut()
        .unwrap()
        .insert(crate::api::ANNOTATION_DATA_HASH.to_owned(), md5.clone());
    case.status.as_mut().unwrap().synced_resource_version = Some(format!("1-{md5}"));
    assert!(case.is_kept());
    let mut rendered = templated(case);
    rendered = rendered.of_eso();
    rendered.status.as_mut().unwrap().synced_resource_version = Some(format!("1-{md5}"));
    assert!(rendered.is_kept());
}

#[test]
fn what_is_not_written_is_not_made() {
    let none = Case::synced().with_spec(&json!({"target": {"creationPolicy": "None"}}));
    assert_eq!(none.decision(), Decision::NotWritten);
    let mut merged = Case::synced().with_spec(&json!({"target": {"creationPolicy": "Merge"}}));
    merged.target = None;
    assert_eq!(merged.decision(), Decision::NotWritten);
    let immutable = Case::synced().with_spec(&json!({"target": {"immutable": true}})).because(Reason::Interval);
    assert_eq!(immutable.decision(), Decision::Leave { written: None });
}

#[test]
fn a_tokens_end_renders_a_template_again_and_otherwise_keeps_what_is_not_due() {
    assert!(Case::synced().because(Reason::Expiry).is_kept());
    let mut late = Case::synced().because(Reason::Expiry);
    late.now = at(3600);
    assert_eq!(late.choice(), Choice::Mint(Cause::Due), "the interval is over as well");
    let rendered = templated(Case::synced()).because(Reason::Expiry);
    assert_eq!(rendered.choice(), Choice::Mint(Cause::Rendered));
}

#[test]
fn a_forged_record_keeps_the_own_value_or_loses_it_and_nothing_else() {
    let mut case = Case::synced();
    let spec = case.spec();
    let name = annotation("default", "example");
    let mut forge = |text: &str| {
        case.target().metadata.annotations.as_mut().unwrap().insert(name.clone(), text.to_owned());
        case.decision()
    };
    for text in ["", "{}", "[]", "null", &"[".repeat(100_000), r#"{"entries":[{"entry":"x","keys":[],"made":"x"}]}"#] {
        assert!(matches!(forge(text), Decision::Each(_)), "{text}");
    }
    let of_other_keys =
        json!({"entries": [{"entry": entry_hash(&spec.data_from[0]), "keys": ["tls.key"], "made": at(0)}]});
    assert_eq!(forge(&of_other_keys.to_string()), Decision::Each(vec![Choice::Mint(Cause::Lost)]));
}

#[test]
fn an_annotation_has_a_name_that_kubernetes_takes() {
    let name = annotation("default", "example");
    assert!(name.split_once('/').is_some_and(|(_, part)| part.len() <= 63), "{name}");
}

#[test]
fn a_record_holds_no_value() {
    let case = Case::synced();
    let annotations = case.target.unwrap().metadata.annotations.unwrap();
    let (_, record) = annotations.iter().find(|(name, _)| name.contains("/record-")).unwrap();
    assert!(!record.contains("minted") && !record.contains(&hash::text_hash("minted")), "{record}");
}
