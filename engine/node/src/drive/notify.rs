//! A flag that one task waits for and any other raises, on one executor.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// See the module. Clones share the flag.
#[derive(Clone, Default)]
pub struct Notify(Rc<State>);

#[derive(Default)]
struct State {
    raised: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl Notify {
    /// Raises the flag.
    pub fn raise(&self) {
        self.0.raised.set(true);
        if let Some(waker) = self.0.waker.borrow_mut().take() {
            waker.wake();
        }
    }

    /// Waits until the flag is raised, and lowers it.
    pub fn wait(&self) -> impl Future<Output = ()> + use<> {
        Wait(self.0.clone())
    }

    /// `Ready` when the flag is raised; lowers it.
    pub fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.0.raised.replace(false) {
            return Poll::Ready(());
        }
        *self.0.waker.borrow_mut() = Some(cx.waker().clone());
        Poll::Pending
    }
}

struct Wait(Rc<State>);

impl Future for Wait {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        Notify(self.0.clone()).poll(cx)
    }
}
