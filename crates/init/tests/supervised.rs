//! The image as number 1 of a namespace, with a supervisor.

mod support;

use std::io::Read;

use pidns_init::protocol::EventKind;
use support::job;

#[test]
fn the_command_is_number_2_and_its_output_and_status_arrive() {
    let mut setup = job::shell("echo $$; exit 7");
    let mut output = setup.pipe(1);
    let Some(mut job) = setup.start() else { return };
    assert_eq!(job.expect(EventKind::Started).pid, 2);
    let end = job.expect(EventKind::Exited);
    assert_eq!((end.pid, end.value), (2, 7));
    assert!(end.max_rss_kb > 100, "{end:?}");
    assert_eq!(job.next(), None);
    let mut text = String::new();
    output.read_to_string(&mut text).unwrap();
    assert_eq!(text, "2\n");
    assert_eq!(job.wait().code(), Some(7));
}
