package io.ambo.node.config;

/** May a TCP segment that is no SYN open a session? */
public enum MidStream {
    REFUSE, ACCEPT
}
