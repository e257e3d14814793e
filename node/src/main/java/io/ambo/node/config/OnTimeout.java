package io.ambo.node.config;

/** What happens to the two ends when an idle session ends. */
public enum OnTimeout {
    /** They are not told. */
    FORGET,
    /** Both get an RST. TCP only. */
    RESET
}
