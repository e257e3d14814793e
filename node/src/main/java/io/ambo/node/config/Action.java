package io.ambo.node.config;

/** What becomes of a packet that opens no session yet. */
public enum Action {
    ALLOW, DROP,
    /** Drop, and tell the sender: RST for TCP, ICMP unreachable otherwise. */
    REJECT
}
