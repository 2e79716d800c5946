//! Tasks of the one thread.

use smol::future::FutureExt;
use smol::{LocalExecutor, Task};

/// Lets a task run beside the others. It is boxed, so that the executor's code is there once, and
/// not for each kind of task: half a KB for everyone.
pub fn spawn(
    executor: &LocalExecutor<'static>,
    task: impl Future<Output = ()> + 'static,
) -> Task<()> {
    executor.spawn(task.boxed_local())
}
