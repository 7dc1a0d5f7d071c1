//! The table that determines the action for an object, from its state and the purpose. It guarantees that nothing is written without a
//! difference, nothing is purged, and nobody else's object is changed.

/// The purpose of reading an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// It should have the desired form (`updatePolicy: Replace`).
    Replace,
    /// It should exist (`updatePolicy: IfNotExists`).
    Create,
    /// It is no longer desired (`deletionPolicy: Delete`).
    CleanUp,
}

/// The state of an object at the provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// There is no such object.
    Absent,
    /// It exists.
    Present {
        /// Who owns it.
        ownership: Ownership,
        /// How it differs from the desired form.
        content: Content,
    },
    /// It exists and is disabled, so its value cannot be read.
    Disabled {
        /// Who owns it.
        ownership: Ownership,
    },
    /// It is deleted, and holds its name until it is purged.
    SoftDeleted {
        /// Who owned it.
        ownership: Ownership,
    },
    /// It is being deleted or recovered.
    Busy,
}

/// Who owns an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ownership {
    /// Tagged as written by this program or by ESO.
    Ours,
    /// Not tagged so.
    Foreign,
    /// Tagged by the controller of another cluster.
    OfAnotherCluster,
    /// A part of a certificate, which only changes with it.
    PartOfCertificate,
}

/// How an object differs from the desired form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Not at all.
    Equal,
    /// In these properties, which can be changed without a new version.
    Properties(Vec<Property>),
    /// In its value, and in these properties.
    Value(Vec<Property>),
    /// Unknown, because there is no desired form.
    Unknown,
}

/// A property of an object, other than its value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Property {
    /// The content type.
    ContentType,
    /// When it expires.
    Expires,
    /// A tag, by its name.
    Tag(String),
}

impl std::fmt::Display for Property {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::ContentType => f.write_str("content type"),
            Self::Expires => f.write_str("expiration date"),
            Self::Tag(name) => write!(f, "tag {name}"),
        }
    }
}

/// An action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Create it.
    Create,
    /// Nothing, because it has the desired form.
    Nothing,
    /// Nothing, because it exists.
    Skip,
    /// Change its properties, without a new version.
    ChangeProperties(Vec<Property>),
    /// Create a new version.
    NewVersion(Vec<Property>),
    /// Recover it, and read it again.
    Recover,
    /// Delete it.
    Delete,
    /// Nothing, because it no longer exists.
    Gone,
    /// Leave it, because somebody else owns it.
    Leave(Refusal),
    /// Nothing, until somebody changes something.
    Refuse(Refusal),
    /// Read it again after a few seconds.
    Wait,
}

impl Action {
    /// Whether it writes to the provider.
    #[must_use]
    pub const fn writes(&self) -> bool {
        match self {
            Self::Create | Self::ChangeProperties(_) | Self::NewVersion(_) | Self::Recover | Self::Delete => true,
            Self::Nothing | Self::Skip | Self::Gone | Self::Leave(_) | Self::Refuse(_) | Self::Wait => false,
        }
    }

    /// The action in one word, for metrics and `plan`.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Create => "created",
            Self::Nothing | Self::Skip => "unchanged",
            Self::ChangeProperties(_) => "properties",
            Self::NewVersion(_) => "version",
            Self::Recover => "recovered",
            Self::Delete => "deleted",
            Self::Gone => "gone",
            Self::Leave(_) => "left",
            Self::Refuse(_) => "refused",
            Self::Wait => "waiting",
        }
    }
}

/// Why an object is left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It is not tagged as managed.
    Foreign,
    /// Another cluster wrote it.
    OfAnotherCluster,
    /// It is a part of a certificate.
    PartOfCertificate,
    /// It is deleted and recoverable, and was never ours.
    DeletedForeign,
    /// Somebody has disabled it.
    Disabled,
}

impl Refusal {
    const fn of(ownership: Ownership) -> Option<Self> {
        match ownership {
            Ownership::Ours => None,
            Ownership::Foreign => Some(Self::Foreign),
            Ownership::OfAnotherCluster => Some(Self::OfAnotherCluster),
            Ownership::PartOfCertificate => Some(Self::PartOfCertificate),
        }
    }
}

/// The table.
#[must_use]
pub fn decide(purpose: Purpose, found: &Found) -> Action {
    match (purpose, found) {
        (_, Found::Busy) => Action::Wait,
        (Purpose::Replace | Purpose::Create, Found::Absent) => Action::Create,
        (Purpose::CleanUp, Found::Absent | Found::SoftDeleted { .. }) => Action::Gone,
        (Purpose::Replace, Found::Present { ownership, content }) => match (Refusal::of(*ownership), content) {
            (Some(refusal), _) => Action::Refuse(refusal),
            (None, Content::Equal | Content::Unknown) => Action::Nothing,
            (None, Content::Properties(differing)) => Action::ChangeProperties(differing.clone()),
            (None, Content::Value(differing)) => Action::NewVersion(differing.clone()),
        },
        (Purpose::Create, Found::Present { .. } | Found::Disabled { .. }) => Action::Skip,
        (Purpose::Replace, Found::Disabled { .. }) => Action::Refuse(Refusal::Disabled),
        (Purpose::CleanUp, Found::Present { ownership, .. } | Found::Disabled { ownership }) => {
            Refusal::of(*ownership).map_or(Action::Delete, Action::Leave)
        }
        (Purpose::Replace | Purpose::Create, Found::SoftDeleted { ownership }) => match ownership {
            Ownership::Ours => Action::Recover,
            _ => Action::Refuse(Refusal::DeletedForeign),
        },
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn present(ownership: Ownership, content: Content) -> Found {
        Found::Present { ownership, content }
    }

    #[rstest]
    #[case::absent(Found::Absent, Action::Create, Action::Create, Action::Gone)]
    #[case::equal(present(Ownership::Ours, Content::Equal), Action::Nothing, Action::Skip, Action::Delete)]
    #[case::other_tags(
        present(Ownership::Ours, Content::Properties(vec![Property::Tag("a".into())])),
        Action::ChangeProperties(vec![Property::Tag("a".into())]),
        Action::Skip,
        Action::Delete
    )]
    #[case::other_value(
        present(Ownership::Ours, Content::Value(vec![])),
        Action::NewVersion(vec![]),
        Action::Skip,
        Action::Delete
    )]
    #[case::foreign(
        present(Ownership::Foreign, Content::Value(vec![])),
        Action::Refuse(Refusal::Foreign),
        Action::Skip,
        Action::Leave(Refusal::Foreign)
    )]
    #[case::of_another_cluster(
        present(Ownership::OfAnotherCluster, Content::Equal),
        Action::Refuse(Refusal::OfAnotherCluster),
        Action::Skip,
        Action::Leave(Refusal::OfAnotherCluster)
    )]
    #[case::of_a_certificate(
        present(Ownership::PartOfCertificate, Content::Equal),
        Action::Refuse(Refusal::PartOfCertificate),
        Action::Skip,
        Action::Leave(Refusal::PartOfCertificate)
    )]
    #[case::soft_deleted(
        Found::SoftDeleted { ownership: Ownership::Ours }, Action::Recover, Action::Recover, Action::Gone
    )]
    #[case::soft_deleted_foreign(
        Found::SoftDeleted { ownership: Ownership::Foreign },
        Action::Refuse(Refusal::DeletedForeign),
        Action::Refuse(Refusal::DeletedForeign),
        Action::Gone
    )]
    #[case::busy(Found::Busy, Action::Wait, Action::Wait, Action::Wait)]
    #[case::disabled(
        Found::Disabled { ownership: Ownership::Ours },
        Action::Refuse(Refusal::Disabled),
        Action::Skip,
        Action::Delete
    )]
    #[case::disabled_foreign(
        Found::Disabled { ownership: Ownership::Foreign },
        Action::Refuse(Refusal::Disabled),
        Action::Skip,
        Action::Leave(Refusal::Foreign)
    )]
    fn each_row_of_the_table(
        #[case] found: Found,
        #[case] replace: Action,
        #[case] create: Action,
        #[case] clean_up: Action,
    ) {
        assert_eq!(decide(Purpose::Replace, &found), replace);
        assert_eq!(decide(Purpose::Create, &found), create);
        assert_eq!(decide(Purpose::CleanUp, &found), clean_up);
    }

    #[test]
    fn nothing_that_is_somebody_elses_is_ever_written() {
        let others = [Ownership::Foreign, Ownership::OfAnotherCluster, Ownership::PartOfCertificate];
        let purposes = [Purpose::Replace, Purpose::Create, Purpose::CleanUp];
        for (ownership, purpose) in others.into_iter().flat_map(|of| purposes.map(|purpose| (of, purpose))) {
            for content in [Content::Equal, Content::Properties(vec![]), Content::Value(vec![]), Content::Unknown] {
                assert!(!decide(purpose, &present(ownership, content)).writes());
            }
            assert!(!decide(purpose, &Found::Disabled { ownership }).writes());
            assert!(!decide(purpose, &Found::SoftDeleted { ownership }).writes());
        }
    }
}
