package io.ambo.node.control;

import com.google.protobuf.InvalidProtocolBufferException;
import io.ambo.proto.control.Failure;
import io.ambo.proto.control.ListPosition;
import io.ambo.proto.control.NodeAnswer;
import io.ambo.proto.control.Request;
import io.ambo.proto.control.Response;
import io.ambo.proto.control.Scope;
import io.ambo.proto.control.Session;
import io.ambo.proto.control.SessionListRequest;
import io.ambo.proto.control.SessionLookup;
import io.ambo.proto.control.SessionLookupRequest;
import io.ambo.proto.control.SessionPage;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** Answers for the whole cluster: this node's own answer, and that of every peer or the reason why there is none. Stateless; a call waits for the peers. */
final class ClusterAnswers {
    static final int PEER_TIMEOUT_MS = 2000;
    private static final int PEER_TIMEOUT_MAX_MS = 30_000;
    /** Sessions of one page that comes from a peer: it must fit into a message of the cluster (256 KiB). */
    private static final int PEER_PAGE_SESSIONS = 250;

    private final LocalAnswers local;
    private final PeerQuery peers;

    ClusterAnswers(LocalAnswers local, PeerQuery peers) {
        this.local = local;
        this.peers = peers;
    }

    Response answer(Request request) {
        Response.Builder response = Response.newBuilder().setId(request.getId());
        if (request.getCommandCase() == Request.CommandCase.COMMAND_NOT_SET) {
            return response.setError(local.answer(request).getError()).build();
        }
        boolean localOnly = request.getScope() == Scope.LOCAL || LocalAnswers.isChange(request) || request.hasSessionLookup();
        if (request.hasSessionList() && !localOnly) return list(request, response);
        if (request.hasDrain()) return drain(request, response);
        Map<String, CompletableFuture<NodeAnswer>> asked = localOnly ? Map.of() : ask(peers.peers(), request);
        response.addNodes(local.answer(request).toBuilder().setLocal(true));
        asked.values().forEach(answer -> response.addNodes(answer.join()));
        return response.build();
    }

    /** Concerns the one node that it names. */
    private Response drain(Request request, Response.Builder response) {
        String node = request.getDrain().getNode();
        if (node.isEmpty() || node.equals(local.nodeName()))
            return response.addNodes(local.answer(request).toBuilder().setLocal(true)).build();
        if (peers.peers().contains(node)) return response.addNodes(askOne(node, request).join()).build();
        String members = Stream.concat(Stream.of(local.nodeName()), peers.peers().stream()).sorted().collect(Collectors.joining(", "));
        return response.setError(LocalAnswers.failure(Failure.Code.REFUSED, "no member is called " + node, "members are: " + members))
                .build();
    }

    /**
     * A page of the sessions of all nodes, each session once: first the whole table of this node, then what only the peers have, one peer after the other in
     * the order of their names. Nothing is kept between two pages.
     */
    private Response list(Request request, Response.Builder response) {
        ListPosition position;
        try {
            position = ListPosition.parseFrom(request.getSessionList().getPageToken());
        } catch (InvalidProtocolBufferException e) {
            return response.setError(LocalAnswers.failure(Failure.Code.BAD_REQUEST, "not a page token", "")).build();
        }
        List<String> others = peers.peers().stream().sorted().toList();
        String listed = position.getNode();
        if (!listed.isEmpty() && !others.contains(listed)) {
            // The node that was being listed has left: go on with the one after it, from its start.
            listed = next(listed, others);
            if (listed == null) return response.setPage(SessionPage.getDefaultInstance()).build();
            position = ListPosition.newBuilder().setNode(listed).build();
        }
        NodeAnswer answer = pageOf(listed, position, request);
        String following = next(listed, others);
        SessionPage.Builder page = SessionPage.newBuilder();
        ListPosition.Builder nextPosition = ListPosition.newBuilder();
        if (answer.hasSessionPage()) {
            SessionPage own = answer.getSessionPage();
            addOnce(own.getSessionsList(), listed.isEmpty() ? local.nodeName() : listed, others, request, page, response);
            page.setScanned(own.getScanned());
            if (!own.getNextPageToken().isEmpty()) nextPosition.setNode(listed).setToken(own.getNextPageToken());
            else if (following != null) nextPosition.setNode(following);
        } else {
            response.addNodes(answer);
            if (answer.getError().getCode() == Failure.Code.BAD_REQUEST) return response.setError(answer.getError()).build();
            if (following != null) nextPosition.setNode(following);
        }
        return response.setPage(page.setNextPageToken(nextPosition.build().toByteString())).build();
    }

    private NodeAnswer pageOf(String node, ListPosition position, Request request) {
        SessionListRequest.Builder list = request.getSessionList().toBuilder().setPageToken(position.getToken());
        if (node.isEmpty()) return local.answer(request.toBuilder().setSessionList(list).build());
        int limit = list.getLimit();
        list.setLimit(limit > 0 && limit < PEER_PAGE_SESSIONS ? limit : PEER_PAGE_SESSIONS);
        return askOne(node, request.toBuilder().setSessionList(list).build()).join();
    }

    /** Adds the sessions of one node that no node before it has listed, each with the names of all nodes that have it. */
    private void addOnce(List<Session> sessions, String from, List<String> others, Request request, SessionPage.Builder page,
            Response.Builder response) {
        if (sessions.isEmpty()) return;
        Request lookup = request.toBuilder().setSessionLookup(
                SessionLookupRequest.newBuilder().setFilter(request.getSessionList().getFilter())
                        .addAllEnds(sessions.stream().map(Session::getEnds).toList()))
                .build();
        Map<String, CompletableFuture<NodeAnswer>> asked = new TreeMap<>(
                ask(others.stream().filter(other -> !other.equals(from)).toList(), lookup));
        Map<String, SessionLookup> found = new LinkedHashMap<>();
        boolean fromHere = from.equals(local.nodeName());
        if (!fromHere) found.put(local.nodeName(), local.answer(lookup).getSessionLookup());
        asked.forEach((peer, future) -> {
            NodeAnswer answer = future.join();
            if (answer.hasSessionLookup()) found.put(peer, answer.getSessionLookup());
            else
                response.addNodes(answer);
        });
        for (int i = 0; i < sessions.size(); i++) {
            List<String> nodes = new ArrayList<>();
            boolean listedBefore = false;
            for (Map.Entry<String, SessionLookup> other : found.entrySet()) {
                SessionLookup.Found there = i < other.getValue().getFoundCount()
                        ? other.getValue().getFound(i)
                        : SessionLookup.Found.ABSENT;
                boolean isBefore = !fromHere && (other.getKey().equals(local.nodeName()) || other.getKey().compareTo(from) < 0);
                listedBefore |= isBefore && there == SessionLookup.Found.MATCHING;
                if (there != SessionLookup.Found.ABSENT) nodes.add(other.getKey());
            }
            if (listedBefore) continue;
            nodes.add(from);
            page.addSessions(sessions.get(i).toBuilder().addAllNodes(nodes.stream().sorted().toList()));
        }
    }

    private static @Nullable String next(String listed, List<String> others) {
        return others.stream().filter(other -> other.compareTo(listed) > 0).findFirst().orElse(null);
    }

    private Map<String, CompletableFuture<NodeAnswer>> ask(List<String> names, Request request) {
        Map<String, CompletableFuture<NodeAnswer>> asked = new LinkedHashMap<>();
        for (String peer : names) asked.put(peer, askOne(peer, request));
        return asked;
    }

    /** Completes with the peer's answer or with an error in its place, never exceptionally, and never later than the timeout. */
    private CompletableFuture<NodeAnswer> askOne(String peer, Request request) {
        long given = Integer.toUnsignedLong(request.getPeerTimeoutMs());
        Duration timeout = Duration.ofMillis(given == 0 ? PEER_TIMEOUT_MS : Math.min(given, PEER_TIMEOUT_MAX_MS));
        CompletableFuture<byte[]> answer;
        try {
            answer = peers.ask(peer, request.toBuilder().setScope(Scope.LOCAL).build().toByteArray(), timeout);
        } catch (RuntimeException e) {
            answer = CompletableFuture.failedFuture(e);
        }
        return answer.thenApply(bytes -> parsed(peer, bytes)).orTimeout(timeout.toMillis() + 100, TimeUnit.MILLISECONDS)
                .exceptionally(e -> unanswered(peer, e, timeout));
    }

    private static NodeAnswer parsed(String peer, byte[] bytes) {
        try {
            Response response = Response.parseFrom(bytes);
            if (response.getNodesCount() == 1) return response.getNodes(0).toBuilder().setNode(peer).setLocal(false).build();
            return NodeAnswer.newBuilder().setNode(peer).setError(response.getError()).build();
        } catch (InvalidProtocolBufferException e) {
            throw new CompletionException("not a response", e);
        }
    }

    private static NodeAnswer unanswered(String peer, Throwable thrown, Duration timeout) {
        Throwable cause = thrown instanceof CompletionException && thrown.getCause() != null ? thrown.getCause() : thrown;
        Failure failure = cause instanceof TimeoutException
                ? LocalAnswers.failure(Failure.Code.TIMEOUT, "did not answer within " + timeout.toMillis() + " ms",
                        "run ambo status on that node; ask for longer with --timeout")
                : LocalAnswers.failure(Failure.Code.UNAVAILABLE, "cannot be asked: " + cause.getMessage(), "run ambo status on that node");
        return NodeAnswer.newBuilder().setNode(peer).setError(failure).build();
    }
}
