//! Functions that templates call.

use std::collections::{BTreeMap, HashMap};
use std::ops::{Deref, DerefMut};

use jiff::Timestamp;
use rand::CryptoRng;

use super::budget::{Budget, Exceeded};
use super::environment::Environment;
use super::value::{Text, Type, Value};

/// Functions by name.
#[derive(Clone, Default)]
pub struct Functions(HashMap<&'static str, Function>);

/// A function.
#[derive(Clone, Copy)]
pub struct Function {
    /// The required parameters.
    pub parameters: &'static [Type],
    /// The type of further arguments, if they are allowed.
    pub variadic: Option<Type>,
    /// What it does.
    pub body: Body,
}

/// What a function does.
#[derive(Clone, Copy)]
pub enum Body {
    /// The first argument that is false, or the last; the others are not evaluated.
    And,
    /// The first argument that is true, or the last; the others are not evaluated.
    Or,
    /// Calls its first argument.
    Call,
    /// Gets its arguments as the types of the parameters. The result depends only on them.
    Native(Native),
    /// Like [`Body::Native`], but with a result that varies: only these functions have access to the time and to
    /// randomness.
    Volatile(Volatile),
}

/// A function in Rust.
pub type Native = fn(&[Value], &mut Call<'_>) -> Result<Value, FunctionError>;

/// A function in Rust with access to the time and to randomness.
pub type Volatile = fn(&[Value], &mut VolatileCall<'_>) -> Result<Value, FunctionError>;

/// What a function has access to besides its arguments.
pub struct Call<'a> {
    /// The remaining budget. A function pays before it does expensive work.
    pub budget: &'a mut Budget,
    state: &'a mut State,
}

/// What a [volatile](Body::Volatile) function has access to besides its arguments.
pub struct VolatileCall<'a> {
    call: Call<'a>,
    environment: &'a Environment,
}

/// What functions keep during a rendering.
#[derive(Default)]
pub(super) struct State {
    /// Created when a function first needs it.
    random: Option<Box<dyn CryptoRng>>,
    /// Compiled regular expressions, by their text.
    pub(super) patterns: BTreeMap<Text, go_regexp::Regex>,
}

impl<'a> Call<'a> {
    pub(super) const fn new(budget: &'a mut Budget, state: &'a mut State) -> Self {
        Self { budget, state }
    }

    /// What functions keep during this rendering.
    pub(super) const fn state(&mut self) -> &mut State {
        self.state
    }
}

impl<'a> VolatileCall<'a> {
    pub(super) const fn new(call: Call<'a>, environment: &'a Environment) -> Self {
        Self { call, environment }
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.environment.now()
    }

    /// The source of randomness of this rendering.
    pub fn random(&mut self) -> &mut dyn CryptoRng {
        &mut **self.call.state.random.get_or_insert_with(|| self.environment.random())
    }
}

impl<'a> Deref for VolatileCall<'a> {
    type Target = Call<'a>;

    fn deref(&self) -> &Call<'a> {
        &self.call
    }
}

impl DerefMut for VolatileCall<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.call
    }
}

/// Why a function failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FunctionError {
    /// What is wrong, without any value.
    #[error("{0}")]
    Failed(String),
    /// A limit was exceeded.
    #[error(transparent)]
    Exceeded(#[from] Exceeded),
}

impl FunctionError {
    /// An error with this message, which must not contain a value.
    pub fn new(message: impl Into<String>) -> Self {
        Self::Failed(message.into())
    }
}

impl Function {
    /// A function with exactly these parameters.
    pub const fn fixed(parameters: &'static [Type], body: Native) -> Self {
        Self { parameters, variadic: None, body: Body::Native(body) }
    }

    /// A function with these parameters and any number of further arguments.
    pub const fn variadic(parameters: &'static [Type], variadic: Type, body: Native) -> Self {
        Self { parameters, variadic: Some(variadic), body: Body::Native(body) }
    }

    /// A [volatile](Body::Volatile) function with exactly these parameters.
    pub const fn volatile(parameters: &'static [Type], body: Volatile) -> Self {
        Self { parameters, variadic: None, body: Body::Volatile(body) }
    }

    /// Whether its result may vary from call to call.
    #[must_use]
    pub const fn is_volatile(&self) -> bool {
        matches!(self.body, Body::Volatile(_))
    }
}

impl Functions {
    /// No functions.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds functions, replacing those with the same names.
    #[must_use]
    pub fn with(mut self, functions: impl IntoIterator<Item = (&'static str, Function)>) -> Self {
        self.0.extend(functions);
        self
    }

    /// The function of this name.
    #[must_use]
    pub fn get(&self, name: &[u8]) -> Option<Function> {
        self.0.get(std::str::from_utf8(name).ok()?).copied()
    }

    /// The names of all functions, in no particular order.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.0.keys().copied()
    }
}
