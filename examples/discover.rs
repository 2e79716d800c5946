//! Announces a node in the local network and says which others it hears.
//!
//! usage: discover NETWORK SECRET KEY PORT    with KEY a number below 256; ends at SIGTERM

use std::io::Write;
use std::rc::Rc;

use async_signal::{Signal, Signals};
use neap::base::peer::NodeKey;
use neap::config::model::Network;
use neap::config::secret::Secret;
use neap::net::discovery::lan::{About, Lan};
use neap::node::peering::Peering;
use smol::stream::StreamExt;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [name, secret, key, port] = &arguments[..] else {
        return Err("usage: discover NETWORK SECRET KEY PORT".into());
    };
    let secret = Secret::new(secret.as_bytes().to_vec()).map_err(|_| "the secret is too short")?;
    let network = Network { name: name.clone(), secret: Some(secret), ..Network::default() };
    let about = About::new(&network, NodeKey([key.parse()?; 32]), Some(port.parse()?));
    let lan = Rc::new(Lan::new(about));
    let executor = smol::LocalExecutor::new();
    let searching = Rc::clone(&lan);
    let search = executor.spawn(async move { searching.run(told).await });
    smol::block_on(executor.run(async {
        let mut signals = Signals::new([Signal::Term, Signal::Int])?;
        signals.next().await;
        lan.leave().await;
        search.await;
        Ok(())
    }))
}

fn told(peering: Peering) {
    let line = match peering {
        Peering::Found { address, .. } => format!("found {address}"),
        Peering::Lost { address } => format!("lost {address}"),
        other => format!("{other:?}"),
    };
    let mut out = std::io::stdout();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}
