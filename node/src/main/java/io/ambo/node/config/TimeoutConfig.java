package io.ambo.node.config;

/**
 * Section timeouts: milliseconds of idleness after which a session ends.
 *
 * @param tcpOpeningMs     a SYN was seen, the handshake is not complete
 * @param tcpEstablishedMs the handshake is complete
 * @param tcpClosingMs     one end has sent its FIN
 * @param tcpClosedMs      both ends have sent FIN, or one RST: for what is still under way
 * @param udpSingleMs      packets in one direction only
 * @param udpMultipleMs    packets in both directions
 * @param icmpMs           echo request and reply
 * @param tombstoneMs      how long a session that is over is remembered, so that no late delta revives it
 */
public record TimeoutConfig(int tcpOpeningMs, int tcpEstablishedMs, int tcpClosingMs, int tcpClosedMs, int udpSingleMs, int udpMultipleMs,
        int icmpMs, int tombstoneMs) {}
