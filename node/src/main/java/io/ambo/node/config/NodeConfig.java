package io.ambo.node.config;

import java.nio.file.Path;

/**
 * Section node.
 *
 * @param name          the node's name in the cluster
 * @param stateDir      where the control socket lives
 * @param tableDir      where the session table lives, a directory in memory (tmpfs)
 * @param controlSocket the unix socket of the CLI
 * @param pinDir        where in a bpffs the fast path is pinned, so that it outlives the process
 * @param controlGroup  the group that may use it, or empty: only the owner of the process
 * @param rehearsalMs   how long a node that starts without sessions plays joins through, at most, before it joins
 */
public record NodeConfig(String name, Path stateDir, Path tableDir, Path pinDir, Path controlSocket, String controlGroup,
        int rehearsalMs) {
    public NodeConfig withName(String other) {
        return new NodeConfig(other, stateDir, tableDir, pinDir, controlSocket, controlGroup, rehearsalMs);
    }
}
