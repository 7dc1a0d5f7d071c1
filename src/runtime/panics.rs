//! Panics, which are bugs. They are logged without their message, which may quote a value, and end only the code that
//! panicked.

use std::any::Any;
use std::cell::Cell;
use std::fmt;
use std::io::Write as _;
use std::panic::{self, AssertUnwindSafe, Location};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::FutureExt as _;
use futures::future::CatchUnwind;

thread_local! {
    /// Where this thread last panicked.
    static LAST: Cell<Option<String>> = const { Cell::new(None) };
}

/// Code that panicked was ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Panicked {
    /// The location in the sources, if [`install`] was called.
    pub at: Option<String>,
}

impl fmt::Display for Panicked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the controller failed")?;
        if let Some(at) = &self.at {
            write!(f, " at {at}")?;
        }
        f.write_str(", which is a bug in it; please report it with this manifest")
    }
}

impl std::error::Error for Panicked {}

/// From now on, only the location of a panic is reported, in the log or, if there is none, on standard error.
pub fn install() {
    panic::set_hook(Box::new(|info| {
        let at = info.location().map(place).unwrap_or_default();
        if tracing::dispatcher::has_been_set() {
            tracing::error!(at, "a panic, which is a bug; its message is not shown, since it may contain values");
        } else {
            let _ = writeln!(std::io::stderr(), "external-secrets: a panic at {at}, which is a bug; please report it");
        }
        LAST.set(Some(at));
    }));
}

/// The file, line and column, without the folders of the machine that compiled it.
fn place(location: &Location<'_>) -> String {
    let file = location.file();
    let root = file.rfind("/src/").and_then(|source| file[..source].rfind('/')).map_or(0, |slash| slash + 1);
    format!("{}:{}:{}", &file[root..], location.line(), location.column())
}

/// Runs `work`, and turns a panic into an error.
///
/// # Errors
/// [`Panicked`]
pub fn caught<T>(work: impl FnOnce() -> T) -> Result<T, Panicked> {
    panic::catch_unwind(AssertUnwindSafe(work)).map_err(panicked)
}

fn panicked(payload: Box<dyn Any + Send>) -> Panicked {
    // Its destructor may panic as well, so it is leaked.
    std::mem::forget(payload);
    Panicked { at: LAST.take() }
}

/// A future whose panic ends it with an error.
#[derive(Debug)]
pub struct Caught<F>(CatchUnwind<AssertUnwindSafe<F>>);

impl<F: Future + Unpin> Caught<F> {
    /// Of `future`.
    pub fn new(future: F) -> Self {
        Self(AssertUnwindSafe(future).catch_unwind())
    }
}

impl<F: Future + Unpin> Future for Caught<F> {
    type Output = Result<F::Output, Panicked>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.poll_unpin(context).map(|result| result.map_err(panicked))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_an_error_without_its_words() {
        let caught: Result<(), _> = Caught::new(Box::pin(async { panic!("hunter2") })).await;
        let panicked = caught.unwrap_err();
        assert!(!format!("{panicked} {panicked:?}").contains("hunter2"));
    }
}
