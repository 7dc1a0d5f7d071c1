//! Every cause that is distinguished, and its consequences.

use crate::provider::Class;

listed! {
    /// What went wrong.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub(in crate::provider::azure) enum Cause {
        // In the store.
        /// A field of the store is missing or invalid.
        StoreInvalid,
        /// A SecretStore names another namespace.
        NamespaceForbidden,
        /// `customCloudConfig` of a SecretStore, with an identity that does not belong to its namespace.
        CustomCloudForbidden,
        /// A SecretStore uses the identity of the controller's own pod or machine.
        OwnIdentityForbidden,

        // In the reference.
        /// The name or version is invalid.
        ReferenceInvalid,
        /// The value has no such property.
        PropertyMissing,

        // In what the identity is made from.
        /// The service account does not exist.
        ServiceAccountMissing,
        /// No client ID or tenant ID was found.
        IdentityIncomplete,
        /// The pod lacks the variables that describe its own identity.
        PodIdentityMissing,
        /// Neither the environment nor a tool provides a token for the person who runs the program.
        CallerUnknown,
        /// A file that proves an identity cannot be read.
        TokenFileUnreadable,
        /// A Secret with a credential, or its key, does not exist.
        CredentialMissing,
        /// The client certificate is unusable.
        ClientCertificateUnusable,
        /// The controller may not read what the identity is made from.
        ClusterForbidden,
        /// The Kubernetes API did not answer.
        ClusterUnavailable,

        // From Entra ID, or the machine's identity endpoint.
        /// It refused to issue a token.
        EntraRefused(EntraCode = Other),
        /// It asked to slow down.
        EntraThrottled,
        /// It failed.
        EntraUnavailable,
        /// The machine has no such managed identity.
        ManagedIdentityMissing,

        // From Key Vault.
        /// The token was rejected.
        TokenRefused,
        /// No role of the identity allows the operation.
        ForbiddenByRbac,
        /// No access policy of the vault allows the operation.
        AccessDenied,
        /// Refused for another reason.
        Forbidden,
        /// The vault's firewall refuses this address.
        ForbiddenByFirewall,
        /// The vault accepts private connections only.
        ForbiddenByConnection,
        /// The object is disabled.
        Disabled,
        /// The secret does not exist.
        SecretNotFound,
        /// The key does not exist.
        KeyNotFound,
        /// The certificate does not exist.
        CertificateNotFound,
        /// The name is taken by a deleted object.
        DeletedButRecoverable,
        /// The object is being deleted.
        BeingDeleted,
        /// The object is being recovered.
        BeingRecovered,
        /// Another request changes the object, or its name, at the same time.
        Conflict,
        /// The object is a part of a certificate.
        PartOfCertificate,
        /// An Azure Policy forbids the object as it is to be.
        ForbiddenByPolicy,
        /// What is to be written is not what the kind of object takes.
        ValueUnusable,
        /// Key Vault refused the request as malformed.
        BadRequest,
        /// It asked to slow down.
        VaultThrottled,
        /// It is temporarily unavailable.
        VaultUnavailable,
        /// It failed.
        VaultFailed,

        // From a container registry.
        /// A field of a generator is missing or invalid.
        GeneratorInvalid,
        /// It issues no token to the identity.
        RegistryUnauthorized,
        /// Its firewall refuses this address.
        RegistryFirewall,
        /// It refuses for another reason.
        RegistryDenied,
        /// It asked to slow down.
        RegistryThrottled,
        /// It failed, or is temporarily unavailable.
        RegistryFailed,

        // From the network.
        /// The host's name does not exist.
        HostNotFound,
        /// The name could not be looked up.
        DnsUnavailable,
        /// Nothing listens there.
        ConnectionRefused,
        /// The connection was interrupted.
        ConnectionBroken,
        /// No answer in time.
        Timeout,
        /// The proxy could not connect.
        ProxyFailed,
        /// The certificate is for another name.
        TlsWrongName,
        /// The certificate's issuer is unknown.
        TlsUnknownIssuer,
        /// The certificate is not valid at present.
        TlsExpired,
        /// Another failure of TLS.
        TlsFailed,

        // From an answer that is not followed or understood.
        /// A redirect, which is not followed with a token.
        Redirected,
        /// The answer is larger than any answer of Key Vault.
        AnswerTooLarge,
        /// The answers that are being read hold all the memory available for them.
        AnswersCrowded,
        /// Too many requests to vaults and authorities are in progress.
        ConnectionsCrowded,
        /// The answer is unexpected.
        UnexpectedAnswer,
        /// A request was meant for another host, and was not sent.
        ForeignHost,
        /// The read was abandoned inside this program.
        Aborted,
    }
}

listed! {
    /// Entra ID's codes that have a hint. They select the hint and the label, and nothing else, because Entra ID
    /// changes them without notice.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub(in crate::provider::azure) enum EntraCode {
        /// 70021: no federated identity record matches.
        NoMatchingFederation,
        /// 70025: the application has no federated identity record.
        NoFederation,
        /// 700223: federation is not allowed.
        FederationForbidden,
        /// 700238: federation with this issuer is not allowed.
        FederationIssuerForbidden,
        /// 700211: no record matches the assertion's issuer.
        AssertionIssuer,
        /// 700212: no record matches the assertion's audience.
        AssertionAudience,
        /// 700213: no record matches the assertion's subject.
        AssertionSubject,
        /// 7002138: the assertion's subject differs in case.
        AssertionSubjectCase,
        /// 700016: the application is not in the tenant.
        ApplicationNotFound,
        /// 90002: the tenant does not exist.
        TenantNotFound,
        /// 700024: the assertion is outside its valid time.
        AssertionOutsideTime,
        /// 70023: the assertion lives too long.
        AssertionTooLong,
        /// 7000215: the client secret is wrong.
        ClientSecretInvalid,
        /// 7000222: the client secret has expired.
        ClientSecretExpired,
        /// 700027: the assertion is not signed with a certificate of the application.
        CertificateRefused,
        /// 500011, 50001: the tenant does not know the resource that the token is for.
        ResourceUnknown,
        /// Any other.
        Other,
    }
}

impl Cause {
    /// What the controller does about it.
    pub(in crate::provider::azure) const fn class(self) -> Class {
        match self {
            Self::StoreInvalid | Self::NamespaceForbidden | Self::CustomCloudForbidden | Self::OwnIdentityForbidden => {
                Class::InvalidStore
            }
            Self::GeneratorInvalid => Class::InvalidGenerator,
            Self::ReferenceInvalid => Class::InvalidReference,
            Self::DeletedButRecoverable => Class::SoftDeleted,
            Self::BeingDeleted | Self::BeingRecovered | Self::Conflict => Class::Busy,
            Self::PropertyMissing | Self::ValueUnusable => Class::PropertyMissing,
            Self::ServiceAccountMissing
            | Self::IdentityIncomplete
            | Self::PodIdentityMissing
            | Self::CallerUnknown
            | Self::TokenFileUnreadable
            | Self::CredentialMissing
            | Self::ClientCertificateUnusable
            | Self::ClusterForbidden
            | Self::EntraRefused(_)
            | Self::ManagedIdentityMissing
            | Self::TokenRefused => Class::Unauthenticated,
            Self::ForbiddenByRbac
            | Self::AccessDenied
            | Self::Forbidden
            | Self::RegistryUnauthorized
            | Self::PartOfCertificate
            | Self::ForbiddenByPolicy
            | Self::RegistryDenied => Class::Denied,
            Self::Disabled => Class::Disabled,
            Self::SecretNotFound | Self::KeyNotFound | Self::CertificateNotFound => Class::Absent,
            Self::EntraThrottled
            | Self::VaultThrottled
            | Self::RegistryThrottled
            | Self::AnswersCrowded
            | Self::ConnectionsCrowded => Class::Throttled,
            Self::ClusterUnavailable
            | Self::EntraUnavailable
            | Self::ForbiddenByFirewall
            | Self::ForbiddenByConnection
            | Self::BadRequest
            | Self::VaultUnavailable
            | Self::VaultFailed
            | Self::RegistryFirewall
            | Self::RegistryFailed
            | Self::HostNotFound
            | Self::DnsUnavailable
            | Self::ConnectionRefused
            | Self::ConnectionBroken
            | Self::Timeout
            | Self::ProxyFailed
            | Self::TlsWrongName
            | Self::TlsUnknownIssuer
            | Self::TlsExpired
            | Self::TlsFailed
            | Self::Redirected
            | Self::AnswerTooLarge
            | Self::UnexpectedAnswer
            | Self::ForeignHost
            | Self::Aborted => Class::Unreachable,
        }
    }

    /// Whether it only affects this request or connection, so that the same request may succeed right away: a server
    /// that is replaced closes its connections.
    pub(in crate::provider::azure) const fn passes_at_once(self) -> bool {
        matches!(self, Self::ConnectionBroken | Self::VaultFailed | Self::RegistryFailed)
    }

    /// One word for metrics and logs: Azure's own code, if there is one.
    pub(in crate::provider::azure) const fn label(self) -> &'static str {
        match self {
            Self::StoreInvalid => "StoreInvalid",
            Self::NamespaceForbidden => "NamespaceForbidden",
            Self::CustomCloudForbidden => "CustomCloudForbidden",
            Self::OwnIdentityForbidden => "OwnIdentityForbidden",
            Self::ReferenceInvalid => "ReferenceInvalid",
            Self::PropertyMissing => "PropertyMissing",
            Self::ServiceAccountMissing => "ServiceAccountMissing",
            Self::IdentityIncomplete => "IdentityIncomplete",
            Self::PodIdentityMissing => "PodIdentityMissing",
            Self::CallerUnknown => "CallerUnknown",
            Self::TokenFileUnreadable => "TokenFileUnreadable",
            Self::CredentialMissing => "CredentialMissing",
            Self::ClientCertificateUnusable => "ClientCertificateUnusable",
            Self::ClusterForbidden => "ClusterForbidden",
            Self::ClusterUnavailable => "ClusterUnavailable",
            Self::EntraRefused(code) => code.label(),
            Self::EntraThrottled => "EntraThrottled",
            Self::EntraUnavailable => "EntraUnavailable",
            Self::ManagedIdentityMissing => "ManagedIdentityMissing",
            Self::TokenRefused => "Unauthorized",
            Self::ForbiddenByRbac => "ForbiddenByRbac",
            Self::AccessDenied => "AccessDenied",
            Self::Forbidden => "Forbidden",
            Self::ForbiddenByFirewall => "ForbiddenByFirewall",
            Self::ForbiddenByConnection => "ForbiddenByConnection",
            Self::Disabled => "SecretDisabled",
            Self::SecretNotFound => "SecretNotFound",
            Self::KeyNotFound => "KeyNotFound",
            Self::CertificateNotFound => "CertificateNotFound",
            Self::DeletedButRecoverable => "ObjectIsDeletedButRecoverable",
            Self::BeingDeleted => "ObjectIsBeingDeleted",
            Self::BeingRecovered => "ObjectIsBeingRecovered",
            Self::Conflict => "Conflict",
            Self::PartOfCertificate => "ManagedByKeyVault",
            Self::ForbiddenByPolicy => "ForbiddenByGovernancePolicy",
            Self::ValueUnusable => "ValueUnusable",
            Self::BadRequest => "BadParameter",
            Self::VaultThrottled => "Throttled",
            Self::VaultUnavailable => "VaultUnavailable",
            Self::VaultFailed => "VaultFailed",
            Self::GeneratorInvalid => "GeneratorInvalid",
            Self::RegistryUnauthorized => "RegistryUnauthorized",
            Self::RegistryFirewall => "RegistryFirewall",
            Self::RegistryDenied => "RegistryDenied",
            Self::RegistryThrottled => "RegistryThrottled",
            Self::RegistryFailed => "RegistryFailed",
            Self::HostNotFound => "HostNotFound",
            Self::DnsUnavailable => "DnsUnavailable",
            Self::ConnectionRefused => "ConnectionRefused",
            Self::ConnectionBroken => "ConnectionBroken",
            Self::Timeout => "Timeout",
            Self::ProxyFailed => "ProxyFailed",
            Self::TlsWrongName => "TlsWrongName",
            Self::TlsUnknownIssuer => "TlsUnknownIssuer",
            Self::TlsExpired => "TlsExpired",
            Self::TlsFailed => "TlsFailed",
            Self::Redirected => "Redirected",
            Self::AnswerTooLarge => "AnswerTooLarge",
            Self::AnswersCrowded => "AnswersCrowded",
            Self::ConnectionsCrowded => "ConnectionsCrowded",
            Self::UnexpectedAnswer => "UnexpectedAnswer",
            Self::ForeignHost => "ForeignHost",
            Self::Aborted => "Aborted",
        }
    }

    /// Whether it passes by itself, so that the store stays usable: an outage must not make every ExternalSecret of the
    /// store wait for the next validation.
    pub(in crate::provider::azure) const fn is_outage(self) -> bool {
        match self {
            Self::ClusterUnavailable
            | Self::EntraThrottled
            | Self::EntraUnavailable
            | Self::VaultThrottled
            | Self::VaultUnavailable
            | Self::VaultFailed
            | Self::RegistryThrottled
            | Self::RegistryFailed
            | Self::DnsUnavailable
            | Self::ConnectionRefused
            | Self::ConnectionBroken
            | Self::Timeout
            | Self::ProxyFailed
            | Self::AnswersCrowded
            | Self::ConnectionsCrowded
            | Self::UnexpectedAnswer
            | Self::Aborted => true,
            Self::StoreInvalid
            | Self::GeneratorInvalid
            | Self::RegistryUnauthorized
            | Self::RegistryFirewall
            | Self::RegistryDenied
            | Self::NamespaceForbidden
            | Self::CustomCloudForbidden
            | Self::OwnIdentityForbidden
            | Self::ReferenceInvalid
            | Self::PropertyMissing
            | Self::ServiceAccountMissing
            | Self::IdentityIncomplete
            | Self::PodIdentityMissing
            | Self::CallerUnknown
            | Self::TokenFileUnreadable
            | Self::CredentialMissing
            | Self::ClientCertificateUnusable
            | Self::ClusterForbidden
            | Self::EntraRefused(_)
            | Self::ManagedIdentityMissing
            | Self::TokenRefused
            | Self::ForbiddenByRbac
            | Self::AccessDenied
            | Self::Forbidden
            | Self::ForbiddenByFirewall
            | Self::ForbiddenByConnection
            | Self::Disabled
            | Self::SecretNotFound
            | Self::KeyNotFound
            | Self::CertificateNotFound
            | Self::DeletedButRecoverable
            | Self::BeingDeleted
            | Self::BeingRecovered
            | Self::Conflict
            | Self::PartOfCertificate
            | Self::ForbiddenByPolicy
            | Self::ValueUnusable
            | Self::BadRequest
            | Self::HostNotFound
            | Self::TlsWrongName
            | Self::TlsUnknownIssuer
            | Self::TlsExpired
            | Self::TlsFailed
            | Self::Redirected
            | Self::AnswerTooLarge
            | Self::ForeignHost => false,
        }
    }
}

impl EntraCode {
    /// Parses the code in `error_codes`, or after `AADSTS` in the description.
    pub(in crate::provider::azure) const fn of(number: u64) -> Self {
        match number {
            70_021 => Self::NoMatchingFederation,
            70_025 => Self::NoFederation,
            700_223 => Self::FederationForbidden,
            700_238 => Self::FederationIssuerForbidden,
            700_211 => Self::AssertionIssuer,
            700_212 => Self::AssertionAudience,
            700_213 => Self::AssertionSubject,
            7_002_138 => Self::AssertionSubjectCase,
            700_016 => Self::ApplicationNotFound,
            90_002 => Self::TenantNotFound,
            700_024 => Self::AssertionOutsideTime,
            70_023 => Self::AssertionTooLong,
            7_000_215 => Self::ClientSecretInvalid,
            7_000_222 => Self::ClientSecretExpired,
            700_027 => Self::CertificateRefused,
            500_011 | 50_001 => Self::ResourceUnknown,
            _ => Self::Other,
        }
    }

    pub(in crate::provider::azure) const fn label(self) -> &'static str {
        match self {
            Self::NoMatchingFederation => "AADSTS70021",
            Self::NoFederation => "AADSTS70025",
            Self::FederationForbidden => "AADSTS700223",
            Self::FederationIssuerForbidden => "AADSTS700238",
            Self::AssertionIssuer => "AADSTS700211",
            Self::AssertionAudience => "AADSTS700212",
            Self::AssertionSubject => "AADSTS700213",
            Self::AssertionSubjectCase => "AADSTS7002138",
            Self::ApplicationNotFound => "AADSTS700016",
            Self::TenantNotFound => "AADSTS90002",
            Self::AssertionOutsideTime => "AADSTS700024",
            Self::AssertionTooLong => "AADSTS70023",
            Self::ClientSecretInvalid => "AADSTS7000215",
            Self::ClientSecretExpired => "AADSTS7000222",
            Self::CertificateRefused => "AADSTS700027",
            Self::ResourceUnknown => "AADSTS500011",
            Self::Other => "EntraRefused",
        }
    }
}
