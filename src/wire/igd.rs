//! Asking a router for a port by UPnP: an internet gateway device (UPnP Forum, IGD 1 and 2) is
//! found by SSDP, says in XML where it is spoken to, and obeys SOAP there.
//!
//! Whoever answers a search names an address that is then asked: only the router's own counts.

use core::fmt::Write;
use core::net::Ipv4Addr;
use core::time::Duration;

use quick_xml::Reader;
use quick_xml::events::Event;

use super::http::head::ResponseHead;
use super::pcp::{Protocol, Want};

/// The group and port that gateways listen to (UPnP Device Architecture 1.1, 1.3.2).
pub const GROUP: (Ipv4Addr, u16) = (Ipv4Addr::new(239, 255, 255, 250), 1900);

/// A place at the router.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its port.
    pub port: u16,
    /// Path and query, ready for a request line.
    pub path: String,
}

/// What of a gateway maps ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Its type, with its version.
    kind: String,
    /// Where it is spoken to.
    pub place: Place,
}

/// What is asked of a gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Its address outside.
    Address,
    /// The suggested port outside for a port of this node with that address; a lifetime of zero
    /// lasts until it is taken back.
    Add(Want, Ipv4Addr),
    /// Takes the suggested port back.
    Delete(Want),
}

/// What a gateway says to that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// Its address.
    Address(Ipv4Addr),
    /// It is done.
    Done,
    /// It refuses, with its code.
    Refused(u16),
}

/// Bytes that are no answer of a gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unfit;

/// It keeps ports only until they are taken back (IGD 1, WANIPConnection, 2.4.16).
pub const PERMANENT_ONLY: u16 = 725;

/// Somebody else has the port (the same).
pub const TAKEN: u16 = 718;

/// A search for gateways.
pub fn search() -> String {
    let (group, port) = GROUP;
    format!(
        "M-SEARCH * HTTP/1.1\r\nHOST: {group}:{port}\r\nMAN: \"ssdp:discover\"\r\nMX: 1\r\n\
         ST: urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\n\r\n"
    )
}

/// Where a router describes itself, by its answer to a search.
pub fn location(datagram: &[u8], router: Ipv4Addr) -> Result<Place, Unfit> {
    let head = ResponseHead::parse(datagram).map_err(|_| Unfit)?;
    let location = head.fields.first("location").filter(|_| head.status == 200).ok_or(Unfit)?;
    place(location, router, None)
}

/// The service that maps ports, by the description that lies at `at`.
pub fn service(document: &[u8], (router, at): (Ipv4Addr, &Place)) -> Result<Service, Unfit> {
    let (mut kind, mut control) = (String::new(), String::new());
    let mut found = None;
    read(document, |name, said| match (name, said) {
        (b"serviceType", Some(text)) => text.clone_into(&mut kind),
        (b"controlURL", Some(text)) => text.clone_into(&mut control),
        (b"service", None) => {
            let (kind, control) = (core::mem::take(&mut kind), core::mem::take(&mut control));
            if KINDS.contains(&kind.as_str()) && found.is_none() {
                found = place(&control, router, Some(at.port)).ok().map(|p| (kind, p));
            }
        }
        _ => {}
    })?;
    found.map(|(kind, place)| Service { kind, place }).ok_or(Unfit)
}

impl Service {
    /// The request by which something is asked of it.
    pub fn request(&self, router: Ipv4Addr, action: Action) -> String {
        let (name, arguments) = action.words();
        let (kind, Place { port, path }) = (&self.kind, &self.place);
        let body = format!(
            "<?xml version=\"1.0\"?>\r\n\
             <s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\" \
             s:encodingStyle=\"http://schemas.xmlsoap.org/soap/encoding/\"><s:Body>\
             <u:{name} xmlns:u=\"{kind}\">{arguments}</u:{name}></s:Body></s:Envelope>\r\n"
        );
        format!(
            "POST {path} HTTP/1.1\r\nHost: {router}:{port}\r\nUser-Agent: neap\r\n\
             Content-Type: text/xml; charset=\"utf-8\"\r\nSOAPAction: \"{kind}#{name}\"\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        )
    }
}

impl Action {
    fn words(self) -> (&'static str, String) {
        let protocol = |want: Want| match want.protocol {
            Protocol::Udp => "UDP",
            Protocol::Tcp => "TCP",
        };
        let mut out = String::new();
        let mut say = |name: &str, value: &dyn core::fmt::Display| {
            let _ = write!(out, "<{name}>{value}</{name}>");
        };
        let name = match self {
            Self::Address => "GetExternalIPAddress",
            Self::Add(want, own) => {
                say("NewRemoteHost", &"");
                say("NewExternalPort", &want.suggested);
                say("NewProtocol", &protocol(want));
                say("NewInternalPort", &want.port);
                say("NewInternalClient", &own);
                say("NewEnabled", &1);
                say("NewPortMappingDescription", &"neap");
                say("NewLeaseDuration", &want.lifetime.as_secs());
                "AddPortMapping"
            }
            Self::Delete(want) => {
                say("NewRemoteHost", &"");
                say("NewExternalPort", &want.suggested);
                say("NewProtocol", &protocol(want));
                "DeletePortMapping"
            }
        };
        (name, out)
    }
}

/// Reads what a gateway says; `status` is that of its HTTP answer.
pub fn answer(status: u16, body: &[u8]) -> Result<Said, Unfit> {
    let (mut address, mut code) = (None, None);
    read(body, |name, said| match (name, said) {
        (b"NewExternalIPAddress", Some(text)) => address = text.parse().ok(),
        (b"errorCode", Some(text)) => code = text.parse().ok(),
        _ => {}
    })?;
    match (status, address, code) {
        (200, Some(address), _) => Ok(Said::Address(address)),
        (200, None, None) => Ok(Said::Done),
        (_, _, Some(code)) => Ok(Said::Refused(code)),
        _ => Err(Unfit),
    }
}

/// Tells of each element its local name and its text, and where it ends.
fn read(document: &[u8], mut tell: impl FnMut(&[u8], Option<&str>)) -> Result<(), Unfit> {
    let text = core::str::from_utf8(document).map_err(|_| Unfit)?;
    let (mut reader, mut name) = (Reader::from_str(text), Vec::new());
    loop {
        match reader.read_event().map_err(|_| Unfit)? {
            Event::Start(element) => element.local_name().as_ref().clone_into(&mut name),
            Event::Text(text) => {
                let text = core::str::from_utf8(&text).map_err(|_| Unfit)?.trim();
                if !text.is_empty() {
                    tell(&name, Some(text));
                }
            }
            Event::End(element) => {
                tell(element.local_name().as_ref(), None);
                name.clear();
            }
            Event::DocType(_) => return Err(Unfit),
            Event::Eof => return Ok(()),
            _ => {}
        }
    }
}

/// The place that a URL names, if it is at the router; `port` is that of the document that a
/// relative one stands in.
fn place(url: &str, router: Ipv4Addr, port: Option<u16>) -> Result<Place, Unfit> {
    let (port, path) = if let Some(rest) = url.strip_prefix("http://") {
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (host, port) = authority.split_once(':').unwrap_or((authority, "80"));
        if host.parse() != Ok(router) {
            return Err(Unfit);
        }
        (port.parse().map_err(|_| Unfit)?, path)
    } else {
        (port.ok_or(Unfit)?, url)
    };
    if !path.bytes().all(|byte| byte.is_ascii_graphic()) || path.contains("://") {
        return Err(Unfit);
    }
    let slash = if path.starts_with('/') { "" } else { "/" };
    Ok(Place { port, path: format!("{slash}{path}") })
}

/// A request for a description.
pub fn describe(router: Ipv4Addr, Place { port, path }: &Place) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: {router}:{port}\r\nUser-Agent: neap\r\n\
         Accept: text/xml\r\nConnection: close\r\n\r\n"
    )
}

/// The port to try after a refusal because somebody else has it: one of the dynamic ones (RFC
/// 6335, 6), which `chance` chooses.
pub const fn other_port(chance: u16) -> u16 {
    49_152 + chance % 16_384
}

/// How long a mapping lasts that was given until it is taken back: it is asked for anew, since a
/// router forgets it when it starts again.
pub const PERMANENT: Duration = Duration::ZERO;

/// Services that map ports.
const KINDS: [&str; 3] = [
    "urn:schemas-upnp-org:service:WANIPConnection:1",
    "urn:schemas-upnp-org:service:WANIPConnection:2",
    "urn:schemas-upnp-org:service:WANPPPConnection:1",
];

#[cfg(test)]
mod tests {
    use super::*;

    const ROUTER: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 1);

    #[test]
    fn only_the_router_itself_is_asked() {
        let found = |location: &str| {
            let text = format!("HTTP/1.1 200 OK\r\nST: x\r\nLOCATION: {location}\r\n\r\n");
            super::location(text.as_bytes(), ROUTER)
        };
        let place = |port, path: &str| Ok(Place { port, path: path.into() });
        assert_eq!(found("http://192.168.1.1:5000/root.xml"), place(5000, "/root.xml"));
        assert_eq!(found("http://192.168.1.1"), place(80, "/"));
        for elsewhere in [
            "http://192.168.1.2:5000/root.xml",
            "http://router.example/root.xml",
            "https://192.168.1.1/root.xml",
            "http://192.168.1.1:99999/",
            "http://192.168.1.1@evil/",
            "http://192.168.1.1/a b",
            "/root.xml",
        ] {
            assert_eq!(found(elsewhere), Err(Unfit), "{elsewhere}");
        }
    }

    fn description(kind: &str, control: &str) -> String {
        format!(
            "<?xml version=\"1.0\"?><root xmlns=\"urn:schemas-upnp-org:device-1-0\"><device>\
             <serviceList><service><serviceType>urn:schemas-upnp-org:service:Layer3Forwarding:1\
             </serviceType><controlURL>/other</controlURL></service><service>\n <serviceType>{kind}\
             </serviceType>\n<controlURL>{control}</controlURL></service>\
             </serviceList></device></root>"
        )
    }

    #[test]
    fn the_service_that_maps_ports_is_found_at_the_router() {
        let at = Place { port: 5000, path: "/root.xml".into() };
        let found = |kind: &str, control: &str| {
            service(description(kind, control).as_bytes(), (ROUTER, &at)).map(|s| s.place)
        };
        for kind in KINDS {
            let place = Place { port: 5000, path: "/ctl/IPConn".into() };
            assert_eq!(found(kind, "/ctl/IPConn"), Ok(place.clone()));
            assert_eq!(found(kind, "ctl/IPConn"), Ok(place));
            let place = Place { port: 80, path: "/ctl".into() };
            assert_eq!(found(kind, "http://192.168.1.1/ctl"), Ok(place));
            assert_eq!(found(kind, "http://10.0.0.1/ctl"), Err(Unfit));
        }
        assert_eq!(found("urn:schemas-upnp-org:service:WANIPConnection:9", "/ctl"), Err(Unfit));
        assert_eq!(service(b"<a><!DOCTYPE x>", (ROUTER, &at)), Err(Unfit));
    }

    #[test]
    fn what_is_asked_has_its_arguments_in_order_and_its_length() {
        let at = Place { port: 5000, path: "/".into() };
        let document = description(KINDS[0], "/ctl");
        let service = service(document.as_bytes(), (ROUTER, &at)).expect("a service");
        let lifetime = Duration::from_secs(7200);
        let want = Want { protocol: Protocol::Udp, port: 8644, suggested: 50_000, lifetime };
        let request = service.request(ROUTER, Action::Add(want, Ipv4Addr::new(192, 168, 1, 10)));
        let (head, body) = request.split_once("\r\n\r\n").expect("a head");
        assert!(head.starts_with("POST /ctl HTTP/1.1\r\nHost: 192.168.1.1:5000\r\n"), "{head}");
        assert!(head.contains(&format!("SOAPAction: \"{}#AddPortMapping\"", KINDS[0])), "{head}");
        assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())), "{head}");
        let arguments = "<NewRemoteHost></NewRemoteHost><NewExternalPort>50000</NewExternalPort>\
            <NewProtocol>UDP</NewProtocol><NewInternalPort>8644</NewInternalPort>\
            <NewInternalClient>192.168.1.10</NewInternalClient><NewEnabled>1</NewEnabled>\
            <NewPortMappingDescription>neap</NewPortMappingDescription>\
            <NewLeaseDuration>7200</NewLeaseDuration>";
        assert!(body.contains(arguments), "{body}");
    }

    #[test]
    fn what_a_gateway_says_is_read() {
        let body = |inner: &str| format!("<s:Envelope><s:Body>{inner}</s:Body></s:Envelope>");
        let said = |status, inner: &str| answer(status, body(inner).as_bytes());
        let address = "<u:R><NewExternalIPAddress>25.0.2.1</NewExternalIPAddress></u:R>";
        assert_eq!(said(200, address), Ok(Said::Address(Ipv4Addr::new(25, 0, 2, 1))));
        assert_eq!(said(200, "<u:AddPortMappingResponse/>"), Ok(Said::Done));
        let fault = "<UPnPError><errorCode>718</errorCode></UPnPError>";
        assert_eq!(said(500, fault), Ok(Said::Refused(TAKEN)));
        assert_eq!(said(500, ""), Err(Unfit));
        assert_eq!(answer(200, b"<a></b>"), Err(Unfit));
        assert_eq!(answer(200, b"\xff"), Err(Unfit));
    }
}
