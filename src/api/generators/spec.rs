//! The specs of all kinds of generators.

use super::acr_access_token::AcrAccessTokenSpec;
use super::fake::FakeSpec;
use super::password::PasswordSpec;
use super::ssh_key::SshKeySpec;
use super::uuid::UuidSpec;

/// The spec of a generator of one of the kinds that make values.
#[derive(Clone, Debug)]
pub enum GeneratorSpec {
    /// `ACRAccessToken`
    AcrAccessToken(Box<AcrAccessTokenSpec>),
    /// `Fake`
    Fake(Box<FakeSpec>),
    /// `Password`
    Password(Box<PasswordSpec>),
    /// `SSHKey`
    SshKey(Box<SshKeySpec>),
    /// `UUID`
    Uuid(Box<UuidSpec>),
}
