//! What the demo shows, in its order.

use super::home::Home;

/// A part of the story.
pub(super) struct Chapter {
    /// What is about to be seen.
    pub(super) title: &'static str,
    pub(super) steps: &'static [Step],
}

/// A step, and what must be seen then. `{first-version}` in a command stands for the
/// version of the secret that was written first.
#[derive(Debug)]
pub(super) enum Step {
    /// A command that succeeds and shows all of these.
    Run { command: &'static str, shows: &'static [&'static str] },
    /// A command that eventually shows all of these.
    Until { command: &'static str, shows: &'static [&'static str] },
    /// A command that fails and shows all of these.
    Refused { command: &'static str, shows: &'static [&'static str] },
    /// Something that is done in Azure.
    Azure(Change),
    /// The controller is started as a process of its own.
    StartController,
    /// The controller is stopped gracefully and started again.
    RestartController,
}

/// A change in Azure.
#[derive(Clone, Copy, Debug)]
pub(super) enum Change {
    /// A new version of the secret.
    SetSecret(&'static str),
    /// The application trusts another service account instead.
    BreakFederation,
    /// It trusts the right one again.
    MendFederation,
}

use Step::{Azure, Refused, RestartController, Run, StartController, Until};

/// The first chapter, where the controller is a process beside the cluster.
const AS_A_PROCESS: Chapter = Chapter {
    title: "The custom resources, and the controller as a process of its own",
    steps: &[
        Run { command: "kubectl apply -f crds/", shows: &["externalsecrets.external-secrets.io created"] },
        // kubectl fails on a definition that the API server has only just taken.
        Until {
            command: "kubectl wait --for=condition=Established crd --all --timeout=60s",
            shows: &["externalsecrets.external-secrets.io condition met"],
        },
        StartController,
    ],
};

/// The first chapter, where it runs on a node.
const IN_PODS: Chapter = Chapter {
    title: "The custom resources, the controller, the webhook and its certificates, by the Helm chart",
    steps: &[
        StartController,
        Run {
            command: "kubectl get crd externalsecrets.external-secrets.io",
            shows: &["externalsecrets.external-secrets.io"],
        },
    ],
};

/// The story, where the controller runs on a node or beside the cluster.
pub(super) fn story(home: &Home) -> impl Iterator<Item = &'static Chapter> + use<> {
    let first = if home.is_on_node() { &IN_PODS } else { &AS_A_PROCESS };
    std::iter::once(first).chain(REST)
}

const REST: &[Chapter] = &[
    Chapter {
        title: "A vault with a secret, a service account whose token Entra ID trusts, and a store that connects them",
        steps: &[
            Azure(Change::SetSecret("Hello, Qmonus Value Stream!")),
            Run {
                command: "kubectl apply -f examples/walkthrough/01-identity.yaml",
                shows: &["azure-key-vault created"],
            },
            Run { command: "kubectl apply -f examples/walkthrough/02-store.yaml", shows: &["azure-key-vault created"] },
            Run {
                command: "kubectl wait --for=condition=Ready clustersecretstore/azure-key-vault --timeout=60s",
                shows: &["condition met"],
            },
            Run {
                command: "kubectl get clustersecretstore",
                shows: &["azure-key-vault", "Valid", "ReadWrite", "True"],
            },
            Until {
                command: "kubectl describe clustersecretstore azure-key-vault | sed -n '/^Events:/,$p'",
                shows: &["Normal", "Valid", "cluster-secret-store", "store validated"],
            },
        ],
    },
    Chapter {
        title: "The secret travels into the cluster",
        steps: &[
            Run {
                command: "kubectl apply -f examples/walkthrough/03-external-secret.yaml",
                shows: &["example created"],
            },
            Run {
                command: "kubectl wait --for=condition=Ready externalsecret/example --timeout=60s",
                shows: &["condition met"],
            },
            Run {
                command: "kubectl get externalsecret.external-secrets.io/example",
                shows: &["STORETYPE", "REFRESH INTERVAL", "LAST SYNC", "ClusterSecretStore", "SecretSynced", "True"],
            },
            Run {
                command: "kubectl get secrets qvs-kubernetes-secret -o jsonpath='{.data.greeting}' | base64 --decode",
                shows: &["Hello, Qmonus Value Stream!"],
            },
        ],
    },
    Chapter {
        title: "The secret is rotated: an ExternalSecret without a version gets the new value at its next refresh",
        steps: &[
            Run { command: "kubectl apply -f examples/rotation/", shows: &["following created"] },
            Run {
                command: "kubectl wait --for=condition=Ready externalsecret/following --timeout=60s",
                shows: &["condition met"],
            },
            Azure(Change::SetSecret("Hello again!")),
            Run {
                command: "kubectl wait secret/following --timeout=60s --for=jsonpath='{.data.greeting}'=\"$(printf %s 'Hello again!' | base64)\"",
                shows: &["condition met"],
            },
            Run {
                command: "kubectl get secret following -o jsonpath='{.data.greeting}' | base64 --decode",
                shows: &["Hello again!"],
            },
        ],
    },
    Chapter {
        title: "With the interval \"0\" it was fetched once; an annotation asks for the new value",
        steps: &[
            Run {
                command: "kubectl get secret qvs-kubernetes-secret -o jsonpath='{.data.greeting}' | base64 --decode",
                shows: &["Hello, Qmonus Value Stream!"],
            },
            Run {
                command: "kubectl annotate externalsecret example force-sync=$(date +%s) --overwrite",
                shows: &["example annotated"],
            },
            Until {
                command: "kubectl get secret qvs-kubernetes-secret -o jsonpath='{.data.greeting}' | base64 --decode",
                shows: &["Hello again!"],
            },
        ],
    },
    Chapter {
        title: "A pinned version does not change",
        steps: &[
            Run {
                command: "kubectl patch externalsecret following --type=json -p '[{\"op\": \"add\", \"path\": \"/spec/data/0/remoteRef/version\", \"value\": \"{first-version}\"}]'",
                shows: &["following patched"],
            },
            Until {
                command: "kubectl get secret following -o jsonpath='{.data.greeting}' | base64 --decode",
                shows: &["Hello, Qmonus Value Stream!"],
            },
            Azure(Change::SetSecret("Hello for the third time!")),
            Run {
                command: "kubectl annotate externalsecret example following force-sync=once-more --overwrite",
                shows: &["example annotated", "following annotated"],
            },
            Until {
                command: "kubectl get secret qvs-kubernetes-secret -o jsonpath='{.data.greeting}' | base64 --decode",
                shows: &["Hello for the third time!"],
            },
            Run {
                command: "kubectl get secret following -o jsonpath='{.data.greeting}' | base64 --decode",
                shows: &["Hello, Qmonus Value Stream!"],
            },
        ],
    },
    Chapter {
        title: "Somebody breaks the federation in Entra ID: the store says what is wrong and what to do, and the Secrets stay",
        steps: &[
            Azure(Change::BreakFederation),
            RestartController,
            Run {
                command: "kubectl wait --for=condition=Ready=false clustersecretstore/azure-key-vault --timeout=60s",
                shows: &["condition met"],
            },
            Run {
                command: "kubectl get clustersecretstore azure-key-vault -o jsonpath='{.status.conditions[?(@.type==\"Ready\")].message}'",
                shows: &["AADSTS", "the federated credential's subject must equal", "qmonus-system:azure-key-vault"],
            },
            Run {
                command: "kubectl wait --for=condition=Ready=false externalsecret/following --timeout=60s",
                shows: &["condition met"],
            },
            Run { command: "kubectl get externalsecret", shows: &["following", "SecretSyncedError", "False"] },
            Run {
                command: "kubectl get secret following -o jsonpath='{.data.greeting}' | base64 --decode",
                shows: &["Hello, Qmonus Value Stream!"],
            },
        ],
    },
    Chapter {
        title: "It is fixed, and everything recovers by itself",
        steps: &[
            Azure(Change::MendFederation),
            Run {
                command: "kubectl wait --for=condition=Ready clustersecretstore/azure-key-vault --timeout=60s",
                shows: &["condition met"],
            },
            Run {
                command: "kubectl wait --for=condition=Ready externalsecret --all --timeout=60s",
                shows: &["following condition met"],
            },
            Run { command: "kubectl get externalsecret", shows: &["example", "following", "SecretSynced", "True"] },
        ],
    },
    Chapter {
        title: "The ExternalSecret is deleted, and its Secret goes with it",
        steps: &[
            Run { command: "kubectl delete externalsecret example", shows: &["\"example\" deleted"] },
            Run { command: "kubectl wait --for=delete secret/qvs-kubernetes-secret --timeout=60s", shows: &[] },
            Refused { command: "kubectl get secret qvs-kubernetes-secret", shows: &["NotFound"] },
        ],
    },
];
