package io.ambo.node.config;

/** How much the node logs. */
public enum LogLevel {
    ERROR, WARN, INFO, DEBUG, TRACE
}
