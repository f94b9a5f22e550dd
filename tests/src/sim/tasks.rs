//! The executor of a member's client sessions: futures that are polled when they were woken, each at
//! the moment that the simulator draws.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

struct Task {
    future: Option<Pin<Box<dyn Future<Output = ()>>>>,
    flag: Arc<Flag>,
    /// The one that all of its polls are given.
    waker: Waker,
    scheduled: bool,
}

/// Sessions of one process life; dropping them is what a crash does to them.
#[derive(Default)]
pub struct Tasks {
    tasks: Vec<Task>,
}

impl Tasks {
    /// Adds one, to be polled as soon as may be.
    pub fn spawn(&mut self, future: impl Future<Output = ()> + 'static) {
        let flag = Arc::new(Flag(AtomicBool::new(true)));
        // Whether one waker wakes the same task as another ([`Waker::will_wake`]) is asked by what waits, and told by
        // addresses of functions, of which a build may have several: only copies of a copy are surely alike. A run
        // must not depend on the build.
        let waker = Waker::from(flag.clone()).clone();
        assert!(waker.clone().will_wake(&waker), "copies of one waker wake the same task");
        self.tasks.push(Task { future: Some(Box::pin(future)), flag, waker, scheduled: false });
    }

    /// Tasks that were woken and for which no poll is on its way yet; from now on it is.
    pub fn take_woken(&mut self) -> Vec<usize> {
        let mut woken = Vec::new();
        for (at, task) in self.tasks.iter_mut().enumerate() {
            if !task.scheduled && task.future.is_some() && task.flag.0.load(Ordering::Relaxed) {
                task.scheduled = true;
                woken.push(at);
            }
        }
        woken
    }

    /// A poll that was on its way did not happen.
    pub fn postpone(&mut self, at: usize) {
        self.tasks[at].scheduled = false;
    }

    /// Takes a task out to be polled.
    pub fn begin(&mut self, at: usize) -> Running {
        let task = &mut self.tasks[at];
        task.scheduled = false;
        task.flag.0.store(false, Ordering::Relaxed);
        Running { at, future: task.future.take(), waker: task.waker.clone() }
    }

    /// Puts a task back that goes on.
    pub fn end(&mut self, running: Running) {
        self.tasks[running.at].future = running.future;
    }

    /// Whether every task has come to its end.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.tasks.iter().all(|task| task.future.is_none())
    }
}

/// A task between [`Tasks::begin`] and [`Tasks::end`], so that it may be polled while nothing is borrowed.
pub struct Running {
    at: usize,
    future: Option<Pin<Box<dyn Future<Output = ()>>>>,
    waker: Waker,
}

impl Running {
    /// Polls it.
    pub fn poll(&mut self) {
        let mut context = Context::from_waker(&self.waker);
        if let Some(future) = &mut self.future
            && future.as_mut().poll(&mut context) == Poll::Ready(())
        {
            self.future = None;
        }
    }
}
