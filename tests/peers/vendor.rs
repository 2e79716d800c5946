//! A vendor's certificates in place of raw keys.

use std::path::PathBuf;

use neap::base::peer::NodeKey;
use neap::config::layers::{Flags, Paths};
use neap::daemon::check::check;
use neap::net::peer::settings::{Settings, Vendor};
use neap::node::peering::{Parting, Stranger};

use crate::certificate::{Authority, CLIENT_AUTH, SERVER_AUTH, Wanted};
use crate::node::{Ground, settings};

/// A folder with a device's files that goes with the value.
struct Device(PathBuf);

impl Device {
    fn new(name: &str, authority: &Authority, wanted: &Wanted) -> Self {
        let folder = std::env::temp_dir().join(format!("neap-dev-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).expect("a temp folder");
        let (certificate, key) = authority.device(wanted);
        std::fs::write(folder.join("device.pem"), certificate).expect("written");
        std::fs::write(folder.join("device.key"), key).expect("written");
        authority.write(&folder.join("ca.pem"));
        Self(folder)
    }

    /// Settings that show this device and trust the authority beside `ca`.
    fn trusting(&self, ca: &Self) -> Settings {
        let vendor = Vendor {
            ca: ca.0.join("ca.pem"),
            certificate: self.0.join("device.pem"),
            private_key: self.0.join("device.key"),
        };
        Settings { vendor: Some(vendor), ..settings() }
    }

    /// What `neap check` says of this device with the key of `other`.
    fn checked(&self, other: &Self) -> String {
        let (folder, key) = (self.0.display(), other.0.display());
        let text = format!(
            "[network]\nname = \"net\"\nca = \"{folder}/ca.pem\"\nstate = \"{folder}\"\n\
             certificate = \"{folder}/device.pem\"\nprivate-key = \"{key}/device.key\"\n"
        );
        let file = self.0.join("neap.toml");
        std::fs::write(&file, text).expect("written");
        let flags = Flags { config: Some(file), ..Flags::default() };
        check(&Paths::default(), &flags, true).err
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn devices_of_one_vendor_are_linked() {
    let ground = Ground::new();
    ground.run(async {
        let authority = Authority::new("vendor");
        let (one, two) = (
            Device::new("one", &authority, &Wanted::good("one.example")),
            Device::new("two", &authority, &Wanted::good("two.example")),
        );
        let (near, far) = (ground.node(one.trusting(&one)), ground.node(two.trusting(&two)));
        near.dial(far.address, Some(far.port.key()));
        let keys: (NodeKey, NodeKey) = (near.joined().await.1, far.joined().await.1);
        assert_eq!(keys, (far.port.key(), near.port.key()));
        assert_ne!(near.port.key(), near.port.signer(), "a certificate's key signs no records");
    });
}

#[test]
fn certificates_alone_hold_a_network_together() {
    let ground = Ground::new();
    ground.run(async {
        let authority = Authority::new("vendor");
        let device = |name: &str| {
            let device = Device::new(name, &authority, &Wanted::good("alone.example"));
            let settings = Settings { secret: None, ..device.trusting(&device) };
            (device, settings)
        };
        let ((_one, near), (_two, far)) = (device("alone"), device("other"));
        let (near, far) = (ground.node(near), ground.node(far));
        near.dial(far.address, Some(far.port.key()));
        assert_eq!(near.joined().await.1, far.port.key());
    });
}

#[test]
fn neap_check_points_out_a_key_that_is_not_the_certificates() {
    let authority = Authority::new("vendor");
    let [one, two] = ["right", "wrong"]
        .map(|name| Device::new(name, &authority, &Wanted::good("check.example")));
    for (key, is_told) in [(&one, false), (&two, true)] {
        let said = one.checked(key);
        let fault = "nothing is shared: ";
        assert_eq!(said.contains(fault), is_told, "{said}");
        assert_eq!(said.contains("device.key is not the key of the certificate"), is_told);
    }
}

#[test]
fn neap_check_points_out_a_certificate_for_one_end_of_a_link_alone() {
    let authority = Authority::new("vendor");
    let cases = [("any", None), ("server", Some(SERVER_AUTH)), ("client", Some(CLIENT_AUTH))];
    for (name, purpose) in cases {
        let wanted = Wanted { purpose, ..Wanted::good("purpose.example") };
        let device = Device::new(name, &authority, &wanted);
        let said = device.checked(&device);
        let warned = "neap: warning: network.certificate: ";
        assert_eq!(said.contains(warned), purpose.is_some(), "{name}: {said}");
        assert_eq!(said.contains("turn this one away"), purpose.is_some(), "{name}: {said}");
        assert!(!said.contains("nothing is shared"), "{name}: {said}");
    }
}

#[test]
fn another_vendor_s_and_outdated_devices_and_raw_keys_are_strangers() {
    let ground = Ground::new();
    ground.run(async {
        let (ours, theirs) = (Authority::new("vendor"), Authority::new("rival"));
        let home = Device::new("home", &ours, &Wanted::good("home.example"));
        let rival = Device::new("rival", &theirs, &Wanted::good("rival.example"));
        let old = Device::new("old", &ours, &Wanted::expired("old.example"));
        for stranger in [rival.trusting(&home), old.trusting(&home), settings()] {
            let (near, far) = (ground.node(stranger), ground.node(home.trusting(&home)));
            near.dial(far.address, None);
            assert_eq!(far.failed().await, Parting::Stranger(Stranger::Handshake));
            let why = near.failed().await;
            assert_eq!(why, Parting::Refused(Stranger::Handshake));
            assert_eq!((near.port.links(), far.port.links()), (0, 0));
        }
    });
}
