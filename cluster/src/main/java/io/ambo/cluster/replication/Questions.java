package io.ambo.cluster.replication;

import com.google.protobuf.ByteString;
import io.ambo.cluster.ClusterCounter;
import io.ambo.cluster.ClusterException;
import io.ambo.cluster.membership.NodeId;
import io.ambo.cluster.membership.Transport;
import io.ambo.cluster.metrics.CounterBank;
import io.ambo.proto.sync.Answer;
import io.ambo.proto.sync.Ask;
import io.ambo.proto.sync.SyncMessage;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Function;

/** Questions of one node's control server to another's. Each runs on a virtual thread of its own, a bounded number at once. Any thread. */
public final class Questions {
    /** Bytes of a question or an answer. */
    public static final int LONGEST = 256 * 1024;
    private static final int MOST_ASKED = 1024;
    private static final int MOST_ANSWERING = 64;

    private record Pending(NodeId peer, CompletableFuture<byte[]> answer) {}

    private final Transport transport;
    private final CounterBank<ClusterCounter>.Row counters;
    private final AtomicLong ids;
    private final ConcurrentHashMap<Long, Pending> asked = new ConcurrentHashMap<>();
    private final Semaphore answering = new Semaphore(MOST_ANSWERING);
    private volatile Function<byte[], byte[]> answerer = request -> {
        throw new IllegalStateException("this node does not answer yet");
    };

    /** @param firstId random, so that an answer to an earlier life of this node is never taken for one of this */
    public Questions(Transport transport, CounterBank<ClusterCounter> counters, long firstId) {
        this.transport = transport;
        this.counters = counters.newRow();
        ids = new AtomicLong(firstId);
    }

    public void answerWith(Function<byte[], byte[]> newAnswerer) { answerer = newAnswerer; }

    public CompletableFuture<byte[]> ask(NodeId peer, byte[] request, Duration timeout) {
        if (request.length > LONGEST || asked.size() >= MOST_ASKED) {
            count(ClusterCounter.ASKS_REFUSED);
            return CompletableFuture
                    .failedFuture(new ClusterException("a question of " + request.length + " bytes to " + peer + " was not sent",
                            "at most " + LONGEST + " bytes, and " + MOST_ASKED + " questions at once", null));
        }
        long id = ids.incrementAndGet();
        CompletableFuture<byte[]> answer = new CompletableFuture<>();
        asked.put(id, new Pending(peer, answer));
        count(ClusterCounter.ASKS_SENT);
        SyncMessage message = SyncReceiver.message().setAsk(Ask.newBuilder().setId(id).setRequest(ByteString.copyFrom(request))).build();
        Thread.ofVirtual().name("ambo-ask").start(() -> {
            try {
                send(peer, message);
            } catch (ClusterException e) {
                answer.completeExceptionally(e);
            }
        });
        // Not orTimeout on the caller's future: whoever waits sees the same failure, and the entry goes in any case.
        return answer.orTimeout(timeout.toMillis(), TimeUnit.MILLISECONDS).whenComplete((bytes, failure) -> asked.remove(id));
    }

    public void onAsk(NodeId peer, Ask ask) {
        if (ask.getRequest().size() > LONGEST || !answering.tryAcquire()) {
            count(ClusterCounter.ASKS_REFUSED);
            return;
        }
        Thread.ofVirtual().name("ambo-answer").start(() -> {
            try {
                send(peer, SyncReceiver.message().setAnswer(answerTo(ask)).build());
                count(ClusterCounter.ASKS_ANSWERED);
            } catch (ClusterException e) {
                count(ClusterCounter.SEND_FAILED);
            } finally {
                answering.release();
            }
        });
    }

    public void onAnswer(NodeId peer, Answer answer) {
        Pending pending = asked.get(answer.getId());
        if (pending == null || !pending.peer().equals(peer)) return;
        if (answer.getFailure().isEmpty()) pending.answer().complete(answer.getResponse().toByteArray());
        else
            pending.answer().completeExceptionally(
                    new ClusterException(peer + " could not answer: " + answer.getFailure(), "see the log of " + peer, null));
    }

    private Answer.Builder answerTo(Ask ask) {
        Answer.Builder answer = Answer.newBuilder().setId(ask.getId());
        try {
            byte[] response = answerer.apply(ask.getRequest().toByteArray());
            if (response.length > LONGEST)
                return answer.setFailure("the answer has " + response.length + " bytes, " + LONGEST + " are allowed");
            return answer.setResponse(ByteString.copyFrom(response));
        } catch (RuntimeException e) {
            return answer.setFailure(e.toString());
        }
    }

    private void send(NodeId peer, SyncMessage message) throws ClusterException {
        byte[] bytes = message.toByteArray();
        transport.sendTo(peer, bytes, 0, bytes.length);
    }

    /** Several threads share this row. */
    private void count(ClusterCounter counter) {
        synchronized (counters) {
            counters.increment(counter);
        }
    }
}
