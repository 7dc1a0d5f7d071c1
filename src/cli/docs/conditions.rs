//! `docs/conditions.md`

use super::markdown::{code, head, table};
use crate::controller::external_secret::failure::Failure;
use crate::controller::push_secret::failure::Failure as PushFailure;
use crate::controller::secret_store::finding::{CHECKS, NOT_KNOWN, PASSED, StoreState};
use crate::provider::all_causes;
use crate::provider::causes::{CauseDescription, StoreEffect};
use crate::provider::error::Retry;
use crate::sync::cluster_external_secret::status::Statement;
use crate::sync::plan::SUCCESSES;

const EXTERNAL_SECRETS: &str = "\
## ExternalSecret: Ready is True

The target is as the provider says. Events are written when something changed; of a target that is not a Secret they name its kind and name.

";

const FAILURES: &str = "\
## ExternalSecret: Ready is False

The reason is `SecretSyncedError` (`ResourceSyncedError` of a target that is not a Secret), the event `UpdateFailed` (Warning). The message begins as below; then it says which entry failed, why, and what to
change. The target stays as it was. `cause` is the word in `status.cause`, in the log and in the label of `external_secrets_sync_failures_total`. Retried with backoff from 1 s
to 5 min (to 30 s where the API server does not answer, and as soon as it does), or, where only a change of the manifest can help, at that change.

";

const STORES: &str = "\
## SecretStore and ClusterSecretStore

The reason is also that of the event (`Valid` is Normal, the others are Warnings), and a label of `external_secrets_store_validations_total`.

";

const CHECKED: &str = "\
Three more conditions say how far a validation came. Where one is False, its reason is a cause of the lists below; Unknown means that it could not be
found out, and the message says why (reason `NotKnown`). A condition `Stalled`, with the cause as its reason, is there and True while only a change of the
store itself can help: `retry` below says `when changed`. Flux and `kstatus` call such a store failed.

";

const CLUSTER_EXTERNAL_SECRETS: &str = "\
## ClusterExternalSecret

`Ready` is the last condition, and says whether each selected namespace has its ExternalSecret; `ExternalSecretsReady` says whether these are Ready themselves.
Where a message is given it begins as below; then it counts and names namespaces, or names the field that is wrong. When `Ready` changes there is an event with its reason. The namespaces that
failed are in `status.failedNamespaces`, whose reasons begin with the words of ESO.

";

const PUSH_SECRETS: &str = "\
## PushSecret

The reason of `Ready` is also that of the event. True: `Synced`, \"PushSecret synced successfully\" (and, if `IfNotExists` found existing objects,
\". Existing secrets in providers unchanged.\"). False: `SourceDeleted`, \"source secret deleted; provider secrets cleaned up\"; or `Errored`, with a
message that begins as below, gives the cause and the remedy for the first object that failed, and then lists the others. Objects that did not fail
are still written. `cause` is the word in `status.cause`, in the log, and in the label of `external_secrets_push_failures_total`. While only a change of
the PushSecret can help, there is a condition `Stalled` with status True and the cause as its reason. Events report what was written or deleted
(`Pushed`), what was left at the provider because it is not managed here or because the store now leads to another vault (`ObjectsLeft`), and entries
without effect (`EntriesSuperseded`).

";

const CLUSTER_PUSH_SECRETS: &str = "\
## ClusterPushSecret

`Ready` says whether each selected namespace has its PushSecret (reason `Provisioned`, `NamespacesFailed` or `InvalidSpec`), and `PushSecretsReady`
whether these PushSecrets are Ready (`AllReady` or `NotReady`). The message of a failure begins with \"one or more namespaces failed\", and then counts and
lists namespaces. For an invalid field it names the field, and there is a condition `Stalled` until the field is corrected. Each change of `Ready`
publishes an event. `status.failedNamespaces` lists the namespaces that failed; its reasons begin with ESO's words.

";

const CAUSES: &str = "\
## Causes of providers

`store` says what the cause does to the store that meets it. `retry` is as above.

";

pub(super) fn page() -> String {
    let mut page = head("Conditions", "conditions");
    page.push_str(EXTERNAL_SECRETS);
    let successes = SUCCESSES.iter().map(|said| {
        let event = said.event.map_or_else(String::new, |(reason, message)| format!("`{reason}`: {message}"));
        let message = if said.message.0 == said.message.1 {
            said.message.0.to_owned()
        } else {
            format!("{}; of another object: {}", said.message.0, said.message.1)
        };
        [code(said.reason.0), code(said.reason.1), message, event]
    });
    page.push_str(&table(["reason", "of another object", "message", "event (Normal)"], successes));
    page.push_str(FAILURES);
    page.push_str(&table(["cause", "message begins with", "retry", "what to do"], failures()));
    page.push_str(STORES);
    let states = StoreState::ALL.iter().map(|state| {
        let said = state.report();
        [code(said.reason), format!("{:?}", said.status), said.lead.to_owned(), said.remedy.to_owned()]
    });
    page.push_str(&table(["reason", "Ready", "message begins with", "what to do"], states));
    page.push_str(CHECKED);
    let checks = CHECKS.iter().map(|check| [code(check.type_), code(PASSED), check.passed.to_owned(), code(NOT_KNOWN)]);
    page.push_str(&table(["type", "reason where True", "message where True", "reason where Unknown"], checks));
    page.push_str(CLUSTER_EXTERNAL_SECRETS);
    let statements = Statement::ALL.iter().map(|statement| {
        let said = statement.said();
        let lead = said.lead.unwrap_or_default().to_owned();
        [code(said.type_), code(said.reason), format!("{:?}", said.status), lead, said.remedy.to_owned()]
    });
    page.push_str(&table(["type", "reason", "status", "message begins with", "what to do"], statements));
    page.push_str(PUSH_SECRETS);
    let failures = PushFailure::ALL.iter().map(|failure| {
        let said = failure.report();
        let cause = if said.cause.is_empty() { "that of the provider".to_owned() } else { code(said.cause) };
        let retry = if said.cause.is_empty() { "by the cause" } else { retry(said.retry) };
        [cause, said.lead.to_owned(), retry.to_owned(), said.remedy.to_owned()]
    });
    page.push_str(&table(["cause", "message begins with", "retry", "what to do"], failures));
    page.push_str(CLUSTER_PUSH_SECRETS);
    page.push_str(CAUSES);
    for (provider, causes) in all_causes::of_providers() {
        page.extend([format!("### {}\n\n", if provider == "any" { "Any provider" } else { provider })]);
        page.push_str(&table(["cause", "what happened", "store", "retry", "what to do"], causes.iter().map(cause)));
    }
    page.trim_end().to_owned() + "\n"
}

fn failures() -> impl Iterator<Item = [String; 4]> {
    Failure::ALL.iter().map(|failure| {
        let said = failure.report();
        let cause = if said.cause.is_empty() { "that of the provider".to_owned() } else { code(said.cause) };
        let retry = if said.cause.is_empty() { "by the cause" } else { retry(said.retry) };
        [cause, said.lead.to_owned(), retry.to_owned(), said.remedy.to_owned()]
    })
}

fn cause(cause: &CauseDescription) -> [String; 5] {
    let store = match cause.store {
        StoreEffect::StaysUsable => "stays Ready",
        StoreEffect::None => "of one object: none",
        StoreEffect::NotReady => "not Ready",
    };
    let retry = retry(cause.class.retry());
    [code(cause.label), cause.meaning.to_owned(), store.to_owned(), retry.to_owned(), cause.remedy.to_owned()]
}

const fn retry(retry: Retry) -> &'static str {
    match retry {
        Retry::Backoff => "with backoff",
        Retry::OnChange => "when changed",
    }
}
