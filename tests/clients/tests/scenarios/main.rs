//! The scenarios of a 401, written once and run with each adapter, through real sockets.

mod clients;
mod refusal;
mod time;
mod told;
mod untouched;
mod world;

/// Makes tests of scenarios: a module of them for each client.
macro_rules! with_each_client {
    ($($scenario:ident)*) => {
        with_each_client!(@ attohttpc Attohttpc [$($scenario)*]);
        with_each_client!(@ minreq Minreq [$($scenario)*]);
        with_each_client!(@ reqwest Reqwest [$($scenario)*]);
    };
    (@ $module:ident $client:ident [$($scenario:ident)*]) => {
        mod $module {
            $(
                #[test]
                fn $scenario() {
                    super::$scenario(&crate::clients::$client::new());
                }
            )*
        }
    };
}
pub(crate) use with_each_client;
