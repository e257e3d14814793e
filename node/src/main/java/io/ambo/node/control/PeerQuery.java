package io.ambo.node.control;

import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/** How this node asks its peers. */
public interface PeerQuery {
    /** Names of the other members of the present view. */
    List<String> peers();

    /**
     * Asks one peer: the bytes reach its {@link LocalAnswers#answer(byte[])}.
     *
     * @return completes with the peer's answer, or exceptionally when it left, failed, or did not answer in time; never blocks the caller
     */
    CompletableFuture<byte[]> ask(String peer, byte[] request, Duration timeout);

    /** A node without a cluster. */
    PeerQuery ALONE = new PeerQuery() {
        @Override
        public List<String> peers() { return List.of(); }

        @Override
        public CompletableFuture<byte[]> ask(String peer, byte[] request, Duration timeout) {
            return CompletableFuture.failedFuture(new IllegalStateException("no peer " + peer));
        }
    };
}
