//! The metrics of single objects. The prometheus crate takes about 5 KB for the metrics of each, most of it identical
//! descriptions. This keeps a small row per object, and turns it into metrics at a scrape.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus::Opts;
use prometheus::core::{Collector, Desc, Describer};
use prometheus::proto::{Counter, Gauge, LabelPair, Metric, MetricFamily, MetricType};

use super::registrar::{Description, Kind, Registrar};

/// The labels of metrics that have one value per object.
pub(super) const OBJECT: &[&str] = &["name", "namespace"];
/// The labels of metrics of conditions.
pub(super) const CONDITION: &[&str] = &["name", "namespace", "condition", "status"];

/// The labels of objects that `--enable-extended-metric-labels` shows, and their names as metric labels.
const EXTENDED: [(&str, &str); 6] = [
    ("app.kubernetes.io/name", "app_kubernetes_io_name"),
    ("app.kubernetes.io/instance", "app_kubernetes_io_instance"),
    ("app.kubernetes.io/version", "app_kubernetes_io_version"),
    ("app.kubernetes.io/component", "app_kubernetes_io_component"),
    ("app.kubernetes.io/part-of", "app_kubernetes_io_part_of"),
    ("app.kubernetes.io/managed-by", "app_kubernetes_io_managed_by"),
];

/// An object that has metrics.
#[derive(Clone, Copy, Debug)]
pub struct Object<'a> {
    /// Its namespace; empty if it is cluster-scoped.
    pub namespace: &'a str,
    /// Its name.
    pub name: &'a str,
    /// Its labels.
    pub labels: Option<&'a BTreeMap<String, String>>,
}

/// Which metrics of single objects are exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ObjectOptions {
    /// Whether the labels `app.kubernetes.io/...` of an object become labels of its metrics.
    pub extended: ExtendedLabels,
    /// How many objects of a kind have metrics of their own. The totals include all. If there are more, a namespace
    /// with few has them before one with many.
    pub most: usize,
    /// Whether to export when the values of ExternalSecrets expire at the provider.
    pub remote_expiry: RemoteExpiry,
}

/// Whether to export when the values of ExternalSecrets expire at the provider.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RemoteExpiry {
    /// Yes.
    Shown,
    /// No.
    #[default]
    Hidden,
}

/// Whether the labels `app.kubernetes.io/...` of an object become labels of its metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExtendedLabels {
    /// Yes.
    Shown,
    /// No.
    Hidden,
}

impl Default for ObjectOptions {
    fn default() -> Self {
        Self { extended: ExtendedLabels::Hidden, most: 50_000, remote_expiry: RemoteExpiry::Hidden }
    }
}

/// A metric of single objects: its name, help text and labels, and its values in the row of an object.
pub(super) struct Column<R> {
    pub(super) name: String,
    pub(super) help: &'static str,
    pub(super) labels: &'static [&'static str],
    pub(super) kind: Kind,
    pub(super) values: Values<R>,
}

/// Reports the values at a time in seconds since 1970, each with the values of the labels that follow name and
/// namespace.
type Values<R> = fn(&R, now: u64, &mut dyn FnMut(&[&str], f64));

/// A metric of all objects together, with one value per value of its only label.
pub(super) struct Total<R> {
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    pub(super) label: Option<(&'static str, &'static [&'static str])>,
    /// Adds one more object: the value so far, the object, the time, and the index of the label's value.
    pub(super) fold: fn(f64, &R, u64, usize) -> f64,
}

/// What is counted for one object, and its labels.
#[derive(Debug, Default)]
struct Row<R> {
    value: R,
    /// The values of [`EXTENDED`], if they are exported.
    extended: Option<Box<[Box<str>; EXTENDED.len()]>>,
    is_shown: bool,
}

/// The rows by namespace, then by name.
#[derive(Debug)]
struct Rows<R> {
    namespaces: HashMap<Arc<str>, Namespace<R>>,
    shown: usize,
    /// The namespaces by the number of shown objects.
    sizes: BTreeSet<(usize, Arc<str>)>,
}

/// The rows of a namespace by name.
#[derive(Debug)]
struct Namespace<R> {
    rows: HashMap<Box<str>, Row<R>>,
    shown: usize,
}

impl<R> Default for Rows<R> {
    fn default() -> Self {
        Self { namespaces: HashMap::new(), shown: 0, sizes: BTreeSet::new() }
    }
}

impl<R> Default for Namespace<R> {
    fn default() -> Self {
        Self { rows: HashMap::new(), shown: 0 }
    }
}

impl<R: Default> Rows<R> {
    /// The row of an object, which is created if necessary. It is shown if fewer than `most` are, or if another
    /// namespace shows more than this one would. That one then hides one.
    fn row(&mut self, object: Object<'_>, most: usize) -> Option<&mut Row<R>> {
        let name: Arc<str> = match self.namespaces.get_key_value(object.namespace) {
            Some((name, _)) => Arc::clone(name),
            None => object.namespace.into(),
        };
        let namespace = self.namespaces.entry(Arc::clone(&name)).or_default();
        if !namespace.rows.contains_key(object.name) {
            namespace.rows.insert(object.name.into(), Row::default());
        }
        let is_shown = namespace.rows.get(object.name).is_some_and(|row| row.is_shown);
        let shown = namespace.shown;
        if !is_shown && (self.shown < most || self.hide_one(shown + 1)) {
            self.show(&name, object.name);
        }
        self.namespaces.get_mut(&name)?.rows.get_mut(object.name)
    }

    fn show(&mut self, namespace: &Arc<str>, name: &str) {
        let Some(Namespace { rows, shown }) = self.namespaces.get_mut(namespace) else { return };
        let Some(row) = rows.get_mut(name) else { return };
        row.is_shown = true;
        *shown += 1;
        let size = *shown;
        self.resized(namespace, size - 1, size);
    }

    /// Hides an object of the namespace that shows most, if that shows more than `than`. Returns whether it did.
    fn hide_one(&mut self, than: usize) -> bool {
        let Some((size, largest)) = self.sizes.last().filter(|(size, _)| *size > than).cloned() else { return false };
        let Some(Namespace { rows, shown }) = self.namespaces.get_mut(&largest) else { return false };
        let Some(row) = rows.values_mut().find(|row| row.is_shown) else { return false };
        row.is_shown = false;
        *shown -= 1;
        self.resized(&largest, size, size - 1);
        true
    }

    fn forget(&mut self, namespace: &str, name: &str) {
        let Some((namespace, _)) = self.namespaces.get_key_value(namespace) else { return };
        let namespace = Arc::clone(namespace);
        let Some(of) = self.namespaces.get_mut(&namespace) else { return };
        let was_shown = of.rows.remove(name).is_some_and(|row| row.is_shown);
        let before = of.shown;
        of.shown -= usize::from(was_shown);
        let after = of.shown;
        if of.rows.is_empty() {
            self.namespaces.remove(&namespace);
        }
        if was_shown {
            self.resized(&namespace, before, after);
        }
    }

    /// A namespace shows another number of objects than before.
    fn resized(&mut self, namespace: &Arc<str>, before: usize, after: usize) {
        self.shown = self.shown + after - before;
        self.sizes.remove(&(before, Arc::clone(namespace)));
        if after > 0 {
            self.sizes.insert((after, Arc::clone(namespace)));
        }
    }
}

struct Shared<R> {
    rows: Mutex<Rows<R>>,
    columns: Vec<Column<R>>,
    totals: Vec<Total<R>>,
    descriptions: Vec<Desc>,
    options: ObjectOptions,
}

/// The rows of all objects of a kind. Cheap to clone.
pub(super) struct ObjectTable<R>(Arc<Shared<R>>);

impl<R> Clone for ObjectTable<R> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<R> fmt::Debug for ObjectTable<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectTable").finish_non_exhaustive()
    }
}

impl<R: Default + Send + 'static> ObjectTable<R> {
    pub(super) fn register(
        registrar: &Registrar,
        columns: Vec<Column<R>>,
        totals: Vec<Total<R>>,
        options: ObjectOptions,
    ) -> Result<Self, prometheus::Error> {
        let labels_of = |column: &Column<R>| -> Vec<&'static str> {
            let extended = EXTENDED.iter().filter(|_| options.extended == ExtendedLabels::Shown);
            column.labels.iter().copied().chain(extended.map(|(_, name)| *name)).collect()
        };
        let described = columns.iter().map(|column| Description {
            name: column.name.clone(),
            kind: column.kind,
            help: column.help.to_owned(),
            labels: labels_of(column),
        });
        let described = described.chain(totals.iter().map(|total| Description {
            name: total.name.to_owned(),
            kind: Kind::Gauge,
            help: total.help.to_owned(),
            labels: total.label.iter().map(|(label, _)| *label).collect(),
        }));
        let described: Vec<_> = described.collect();
        let describe = |of: &Description| {
            Opts::new(&of.name, &of.help)
                .variable_labels(of.labels.iter().map(|label| (*label).to_owned()).collect())
                .describe()
        };
        let descriptions = described.iter().map(describe).collect::<Result<Vec<_>, _>>()?;
        let table = Self(Arc::new(Shared { rows: Mutex::default(), columns, totals, descriptions, options }));
        registrar.collector(table.clone(), described)?;
        Ok(table)
    }

    /// Changes the row of an object, and creates it if necessary.
    pub(super) fn change(&self, object: Object<'_>, change: impl FnOnce(&mut R)) {
        let mut rows = self.lock();
        let Some(row) = rows.row(object, self.0.options.most) else { return };
        if self.0.options.extended == ExtendedLabels::Shown {
            row.extended = Some(Box::new(EXTENDED.map(|(key, _)| {
                object.labels.and_then(|labels| labels.get(key)).map(String::as_str).unwrap_or_default().into()
            })));
        }
        change(&mut row.value);
    }

    /// Forgets a deleted object.
    pub(super) fn forget(&self, namespace: &str, name: &str) {
        self.lock().forget(namespace, name);
    }

    fn lock(&self) -> MutexGuard<'_, Rows<R>> {
        self.0.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<R: Default + Send + 'static> Collector for ObjectTable<R> {
    fn desc(&self) -> Vec<&Desc> {
        self.0.descriptions.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let now = jiff::Timestamp::now().as_second().unsigned_abs();
        let rows = self.lock();
        let of_objects = self.0.columns.iter().map(|column| family(column, &rows, now));
        of_objects.chain(self.0.totals.iter().map(|total| total_family(total, &rows, now))).collect()
    }
}

fn family<R>(column: &Column<R>, rows: &Rows<R>, now: u64) -> MetricFamily {
    let mut metrics = Vec::new();
    for (namespace, Namespace { rows, .. }) in &rows.namespaces {
        for (name, row) in rows.iter().filter(|(_, row)| row.is_shown) {
            (column.values)(&row.value, now, &mut |labels, value| {
                let values = [&**name, &**namespace].into_iter().chain(labels.iter().copied());
                let pairs = column.labels.iter().copied().zip(values);
                let extended = row.extended.iter().flat_map(|values| values.iter());
                let extended = EXTENDED.iter().map(|(_, name)| *name).zip(extended.map(|value| &**value));
                metrics.push(metric(column.kind, pairs.chain(extended), value));
            });
        }
    }
    family_of(&column.name, column.help, column.kind, metrics)
}

fn total_family<R>(total: &Total<R>, rows: &Rows<R>, now: u64) -> MetricFamily {
    let values = total.label.map_or(&[""][..], |(_, values)| values);
    let metrics = values.iter().enumerate().map(|(index, value)| {
        let all = rows.namespaces.values().flat_map(|namespace| namespace.rows.values());
        let sum = all.fold(0.0, |sum, row| (total.fold)(sum, &row.value, now, index));
        metric(Kind::Gauge, total.label.iter().map(|(label, _)| (*label, *value)), sum)
    });
    family_of(total.name, total.help, Kind::Gauge, metrics.collect())
}

pub(super) fn family_of(name: &str, help: &str, kind: Kind, metrics: Vec<Metric>) -> MetricFamily {
    let mut family = MetricFamily::default();
    family.set_name(name.to_owned());
    family.set_help(help.to_owned());
    family.set_field_type(if kind == Kind::Counter { MetricType::COUNTER } else { MetricType::GAUGE });
    family.set_metric(metrics);
    family
}

pub(super) fn metric<'a>(kind: Kind, labels: impl Iterator<Item = (&'a str, &'a str)>, value: f64) -> Metric {
    let pairs = labels.map(|(label, value)| {
        let mut pair = LabelPair::default();
        pair.set_name(label.to_owned());
        pair.set_value(value.to_owned());
        pair
    });
    let mut pairs: Vec<_> = pairs.collect();
    // As in the crate's own metrics.
    pairs.sort_by(|one, other| one.name().cmp(other.name()));
    let mut metric = Metric::from_label(pairs);
    if kind == Kind::Counter {
        let mut counter = Counter::default();
        counter.set_value(value);
        metric.set_counter(counter);
    } else {
        let mut gauge = Gauge::default();
        gauge.set_value(value);
        metric.set_gauge(gauge);
    }
    metric
}

#[allow(clippy::cast_precision_loss, reason = "metrics are floats; these have far fewer than 53 bits")]
pub(super) fn number(value: u64) -> f64 {
    value as f64
}

/// As in ESO, both statuses of the condition `Ready` are exported, one as 1 and the other as 0.
pub(super) fn show_ready(ready: Option<bool>, show: &mut dyn FnMut(&[&str], f64)) {
    if let Some(ready) = ready {
        show(&["Ready", "True"], f64::from(u8::from(ready)));
        show(&["Ready", "False"], f64::from(u8::from(!ready)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: usize = 10;

    fn shown(rows: &Rows<()>, namespace: &str) -> usize {
        let rows = rows.namespaces.get(namespace).into_iter().flat_map(|namespace| namespace.rows.values());
        rows.filter(|row| row.is_shown).count()
    }

    fn change(rows: &mut Rows<()>, namespace: &str, name: usize) {
        let name = name.to_string();
        assert!(rows.row(Object { namespace, name: &name, labels: None }, MOST).is_some());
    }

    #[test]
    fn a_namespace_with_very_many_objects_leaves_metrics_to_those_of_others() {
        let mut rows = Rows::default();
        for name in 0..100 {
            change(&mut rows, "large", name);
        }
        assert_eq!((shown(&rows, "large"), rows.shown), (MOST, MOST));
        for name in 0..3 {
            change(&mut rows, "small", name);
        }
        assert_eq!((shown(&rows, "large"), shown(&rows, "small"), rows.shown), (MOST - 3, 3, MOST));
        // The two do not take them from each other for ever.
        for name in 0..100 {
            change(&mut rows, "small", name);
            change(&mut rows, "large", name);
        }
        assert_eq!((shown(&rows, "large"), shown(&rows, "small")), (MOST / 2, MOST / 2));
        let names = |rows: &Rows<()>| -> Vec<_> {
            rows.namespaces["small"].rows.iter().filter(|(_, row)| row.is_shown).map(|(name, _)| name.clone()).collect()
        };
        let before = names(&rows);
        (0..100).for_each(|name| change(&mut rows, "large", name));
        assert_eq!(before, names(&rows));
    }

    #[test]
    fn an_object_that_is_gone_makes_room_for_another() {
        let mut rows = Rows::default();
        for name in 0..=MOST {
            change(&mut rows, "one", name);
        }
        assert!(!rows.namespaces["one"].rows["10"].is_shown);
        rows.forget("one", "3");
        change(&mut rows, "one", MOST);
        assert!(rows.namespaces["one"].rows["10"].is_shown);
        (0..=MOST).for_each(|name| rows.forget("one", &name.to_string()));
        assert!(rows.namespaces.is_empty() && rows.sizes.is_empty() && rows.shown == 0);
    }
}
