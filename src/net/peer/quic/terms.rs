//! The terms of every QUIC connection: windows for small nodes, no keep-alives, one stream.

use std::io;
use std::sync::Arc;

use quinn_proto::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn_proto::{
    ClientConfig, EndpointConfig, IdleTimeout, ServerConfig, TransportConfig, VarInt,
};

use super::courtesy::Courtesy;
use crate::base::limits;
use crate::net::peer::secure::Secure;

/// What connections are made with.
pub struct Terms {
    /// Of a dialler.
    pub client: ClientConfig,
    /// Of a listener.
    pub server: Arc<ServerConfig>,
    /// Of a socket.
    pub endpoint: Arc<EndpointConfig>,
}

impl Terms {
    /// Terms by which the same keys and proofs hold as over TCP.
    pub fn new(secure: &Secure) -> io::Result<Self> {
        let client = QuicClientConfig::try_from(secure.client()).map_err(io::Error::other)?;
        let server = QuicServerConfig::try_from(secure.server()).map_err(io::Error::other)?;
        let mut client = ClientConfig::new(Arc::new(client));
        client.transport_config(Arc::new(transport(0)));
        let mut server = ServerConfig::with_crypto(Arc::new(server));
        // A dialler opens the one stream; nobody opens another.
        server.transport_config(Arc::new(transport(1)));
        server.max_incoming(limits::link::HANDSHAKES);
        server.incoming_buffer_size(INCOMING).incoming_buffer_size_total(16 * INCOMING);
        server.migration(true);
        let mut endpoint = EndpointConfig::default();
        // STUN comes over the same socket and is told apart by the bit that this would blur
        // (RFC 9443, 3).
        endpoint.grease_quic_bit(false);
        Ok(Self { client, server: Arc::new(server), endpoint: Arc::new(endpoint) })
    }
}

fn transport(streams: u32) -> TransportConfig {
    let mut transport = TransportConfig::default();
    let idle = u32::try_from(limits::link::QUIC_IDLE.as_millis()).unwrap_or(u32::MAX);
    transport
        .max_concurrent_bidi_streams(streams.into())
        .max_concurrent_uni_streams(0_u32.into())
        .stream_receive_window(limits::link::QUIC_RECEIVE.into())
        // Of a stranger; a member may send more.
        .receive_window(STRANGER.into())
        .send_window(limits::link::QUIC_SEND.into())
        .datagram_receive_buffer_size(None)
        .congestion_controller_factory(Arc::new(Courtesy))
        .initial_rtt(limits::link::QUIC_FIRST_RTT)
        // Links ask for signs of life while they wait for something, and not otherwise.
        .keep_alive_interval(None)
        .max_idle_timeout(Some(IdleTimeout::from(VarInt::from_u32(idle))))
        // It would tell anybody on the way how long the way is.
        .allow_spin(false);
    transport
}

/// Bytes of datagrams that wait until a connection is accepted, which happens at once.
const INCOMING: u64 = 8 * 1024;

/// Bytes that a side may send before its proof.
const STRANGER: u32 = limits::link::HANDSHAKE as u32;
