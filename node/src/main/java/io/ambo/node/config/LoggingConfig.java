package io.ambo.node.config;

/**
 * Section logging.
 *
 * @param level              how much
 * @param ruleLinesPerSecond lines that rules with log may write, for each worker; what is above it is counted
 */
public record LoggingConfig(LogLevel level, int ruleLinesPerSecond) {}
