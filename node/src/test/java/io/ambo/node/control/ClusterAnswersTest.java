package io.ambo.node.control;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.ByteString;
import io.ambo.cluster.session.SessionRecord;
import io.ambo.cluster.session.TcpHalf;
import io.ambo.proto.control.CountersRequest;
import io.ambo.proto.control.Failure;
import io.ambo.proto.control.Half;
import io.ambo.proto.control.NodeAnswer;
import io.ambo.proto.control.ReloadRequest;
import io.ambo.proto.control.Request;
import io.ambo.proto.control.Response;
import io.ambo.proto.control.RestartRequest;
import io.ambo.proto.control.Scope;
import io.ambo.proto.control.Session;
import io.ambo.proto.control.SessionCountRequest;
import io.ambo.proto.control.SessionEnds;
import io.ambo.proto.control.SessionFilter;
import io.ambo.proto.control.SessionListRequest;
import io.ambo.proto.control.SessionShowRequest;
import io.ambo.proto.control.SessionState;
import io.ambo.proto.control.StatusRequest;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;

class ClusterAnswersTest {
    private final FakeTarget a = new FakeTarget("a");
    private final FakeTarget b = new FakeTarget("b");
    private final FakeTarget c = new FakeTarget("c");
    private final Peers peers = new Peers();
    private final ClusterAnswers answers = new ClusterAnswers(new LocalAnswers(a), peers);

    /** Peers in this process; one may be silent. */
    private static final class Peers implements PeerQuery {
        final Map<String, LocalAnswers> byName = new LinkedHashMap<>();
        final List<String> silent = new ArrayList<>();

        @Override
        public List<String> peers() { return List.copyOf(byName.keySet()); }

        @Override
        public CompletableFuture<byte[]> ask(String peer, byte[] request, Duration timeout) {
            LocalAnswers answers = byName.get(peer);
            if (silent.contains(peer)) return new CompletableFuture<>();
            if (answers == null) return CompletableFuture.failedFuture(new IllegalStateException("it has left"));
            return CompletableFuture.completedFuture(answers.answer(request));
        }
    }

    @Test
    void everyNodeAnswersTheAskedOneFirst() {
        join(b, c);
        Response response = answers.answer(Request.newBuilder().setId(5).setStatus(StatusRequest.getDefaultInstance()).build());
        assertThat(response.getId()).isEqualTo(5);
        assertThat(response.getNodesList()).extracting(NodeAnswer::getNode).containsExactly("a", "b", "c");
        assertThat(response.getNodesList()).extracting(NodeAnswer::getLocal).containsExactly(true, false, false);
    }

    @Test
    void theLocalScopeAsksNobodyElse() {
        join(b);
        peers.silent.add("b");
        Response response = answers
                .answer(Request.newBuilder().setScope(Scope.LOCAL).setStatus(StatusRequest.getDefaultInstance()).build());
        assertThat(response.getNodesList()).extracting(NodeAnswer::getNode).containsExactly("a");
    }

    @Test
    void aPeerThatDoesNotAnswerIsShownAsSuch() {
        join(b, c);
        peers.silent.add("b");
        Response response = answers.answer(Request.newBuilder().setPeerTimeoutMs(50).setStatus(StatusRequest.getDefaultInstance()).build());
        assertThat(response.getNodes(1).getNode()).isEqualTo("b");
        assertThat(response.getNodes(1).getError().getCode()).isEqualTo(Failure.Code.TIMEOUT);
        assertThat(response.getNodes(1).getError().getMessage()).isEqualTo("did not answer within 50 ms");
        assertThat(response.getNodes(2).hasStatus()).isTrue();
    }

    @Test
    void aListNamesEachSessionOnceWithAllNodesThatHaveIt() {
        join(b, c);
        for (int port = 1; port <= 30; port++) a.withTcp(port);
        for (int port = 11; port <= 40; port++) b.withTcp(port);
        for (int port = 21; port <= 50; port++) c.withTcp(port);
        Map<Integer, List<String>> listed = list(SessionFilter.getDefaultInstance(), 7);
        assertThat(listed).hasSize(50);
        assertThat(listed.get(1)).containsExactly("a");
        assertThat(listed.get(15)).containsExactly("a", "b");
        assertThat(listed.get(25)).containsExactly("a", "b", "c");
        assertThat(listed.get(35)).containsExactly("b", "c");
        assertThat(listed.get(45)).containsExactly("c");
    }

    @Test
    void aSessionThatMatchesOnThePeerOnlyIsListedAllTheSame() {
        join(b);
        a.with(6, "10.0.0.7", 1, "203.0.113.10", 443, TcpHalf.SYN, 0);
        b.with(6, "10.0.0.7", 1, "203.0.113.10", 443, TcpHalf.ESTABLISHED, 0);
        Map<Integer, List<String>> listed = list(SessionFilter.newBuilder().addStates(SessionState.ESTABLISHED).build(), 10);
        assertThat(listed).containsOnly(Map.entry(1, List.of("a", "b")));
    }

    @Test
    void aListGoesOnWhenANodeLeavesInItsMiddle() {
        join(b, c);
        b.withTcp(1);
        c.withTcp(2);
        Request first = Request.newBuilder().setSessionList(SessionListRequest.newBuilder()).build();
        ByteString token = answers.answer(first).getPage().getNextPageToken();
        peers.byName.remove("b");
        Response second = answers.answer(Request.newBuilder().setSessionList(SessionListRequest.newBuilder().setPageToken(token)).build());
        assertThat(second.getPage().getSessionsList()).extracting(session -> session.getEnds().getSourcePort()).containsExactly(2);
        assertThat(second.getPage().getNextPageToken().isEmpty()).isTrue();
    }

    @Test
    void filtersMeanTheOriginalFlow() {
        a.withTcp(51_022).with(17, "2001:db8::7", 5353, "2001:db8:1::1", 53, TcpHalf.ESTABLISHED, 0)
                .with(58, "2001:db8::7", 4711, "2001:db8:1::1", 4711, TcpHalf.ESTABLISHED, 0)
                .with(6, "203.0.113.10", 443, "10.0.0.7", 9000, TcpHalf.ESTABLISHED, SessionRecord.CLOSED);
        assertThat(list(SessionFilter.getDefaultInstance(), 0)).containsOnlyKeys(51_022, 5353, 4711);
        assertThat(list(SessionFilter.newBuilder().setProtocol(1).build(), 0)).containsOnlyKeys(4711);
        assertThat(list(SessionFilter.newBuilder().setPort(53).build(), 0)).containsOnlyKeys(5353);
        assertThat(list(SessionFilter.newBuilder().setSourcePort(53).build(), 0)).isEmpty();
        assertThat(list(SessionFilter.newBuilder().addStates(SessionState.CLOSED).build(), 0)).containsOnlyKeys(443);
        assertThat(list(SessionFilter.newBuilder().setRule("web").setOwner("a").build(), 0)).containsOnlyKeys(51_022, 5353, 4711);
        assertThat(list(SessionFilter.newBuilder().setRule("mail").build(), 0)).isEmpty();
    }

    @Test
    void aSessionIsShownWithEveryNumberUnsigned() {
        a.withTcp(51_022);
        SessionEnds reversed = SessionEnds.newBuilder().setProtocol(6).setSource(ByteString.copyFrom(new byte[]{ (byte) 203, 0, 113, 10 }))
                .setSourcePort(443)
                .setDestination(ByteString.copyFrom(new byte[]{ 10, 0, 0, 7 })).setDestinationPort(51_022).build();
        Session session = answers.answer(Request.newBuilder().setSessionShow(SessionShowRequest.newBuilder().setEnds(reversed)).build())
                .getNodes(0)
                .getSessionShow().getSession();
        assertThat(session.getEnds().getSourcePort()).isEqualTo(51_022);
        assertThat(session.getState()).isEqualTo(SessionState.ESTABLISHED);
        assertThat(Integer.toUnsignedLong(session.getOriginal().getSeqEnd())).isEqualTo(0xFFFF_FFFFL);
        assertThat(session.getOriginal().getScale()).isEqualTo(7);
        assertThat(session.getReply()).isEqualTo(Half.newBuilder().setState(Half.State.ESTABLISHED).build());
        assertThat(session.getIdleMs()).isEqualTo(3000);
        assertThat(session.getExpiresInMs()).isEqualTo(7_197_000);
        assertThat(session.getOriginalTraffic().getBytes()).isEqualTo(2345);
        assertThat(session.getRule()).isEqualTo("web");
    }

    @Test
    void sessionsAreCountedByProtocolAndState() {
        a.withTcp(1).withTcp(2).with(17, "10.0.0.7", 3, "203.0.113.10", 53, TcpHalf.NONE, 0)
                .with(6, "10.0.0.7", 4, "203.0.113.10", 443, TcpHalf.FIN, 0)
                .with(6, "10.0.0.7", 5, "203.0.113.10", 443, TcpHalf.CLOSED, SessionRecord.CLOSED);
        var count = answers.answer(Request.newBuilder().setSessionCount(SessionCountRequest.getDefaultInstance()).build()).getNodes(0)
                .getSessionCount();
        assertThat(
                List.of(count.getMatching(), count.getTcp(), count.getUdp(), count.getOpening(), count.getEstablished(), count.getClosing(),
                        count.getClosed(), count.getEntries()))
                .containsExactly(4L, 3L, 1L, 1L, 2L, 1L, 0L, 5L);
    }

    @Test
    void countersAreChosenByNameOrGroup() {
        assertThat(counters("drops")).containsExactly("stray");
        assertThat(counters("received")).containsExactly("packets_received");
        assertThat(counters("")).hasSize(2);
    }

    @Test
    void aPeerCannotReloadThisNode() {
        byte[] answer = new LocalAnswers(a)
                .answer(Request.newBuilder().setReload(ReloadRequest.getDefaultInstance()).build().toByteArray());
        assertThat(answer).isNotEmpty();
        assertThat(a.reloads).hasValue(0);
    }

    @Test
    void aPeerCannotRestartThisNode() throws Exception {
        byte[] answer = new LocalAnswers(a)
                .answer(Request.newBuilder().setRestart(RestartRequest.getDefaultInstance()).build().toByteArray());
        assertThat(Response.parseFrom(answer).getNodes(0).getError().getCode()).isEqualTo(Failure.Code.REFUSED);
    }

    @Test
    void aRestartIsAnsweredByTheAskedNodeAlone() {
        Response response = answers.answer(Request.newBuilder().setRestart(RestartRequest.getDefaultInstance()).build());
        assertThat(response.getNodesList()).singleElement().satisfies(node -> assertThat(node.getRestart().getFlows()).isEqualTo(3));
    }

    @Test
    void bytesThatAreNoRequestAreAnsweredWithAnError() throws Exception {
        byte[] answer = new LocalAnswers(a).answer(new byte[]{ 7, 7, 7 });
        assertThat(Response.parseFrom(answer).getError().getCode()).isEqualTo(Failure.Code.BAD_REQUEST);
    }

    private List<String> counters(String contains) {
        return answers.answer(Request.newBuilder().setCounters(CountersRequest.newBuilder().setContains(contains)).build()).getNodes(0)
                .getCounters()
                .getCountersList().stream().map(counter -> counter.getName()).toList();
    }

    private void join(FakeTarget... targets) {
        for (FakeTarget target : targets) peers.byName.put(target.nodeName(), new LocalAnswers(target));
    }

    /** All pages: nodes by source port. */
    private Map<Integer, List<String>> list(SessionFilter filter, int limit) {
        Map<Integer, List<String>> listed = new LinkedHashMap<>();
        ByteString token = ByteString.EMPTY;
        do {
            Response response = answers
                    .answer(Request.newBuilder()
                            .setSessionList(SessionListRequest.newBuilder().setFilter(filter).setLimit(limit).setPageToken(token)).build());
            assertThat(response.hasError()).isFalse();
            for (Session session : response.getPage().getSessionsList()) {
                assertThat(listed.put(session.getEnds().getSourcePort(), session.getNodesList())).as("listed once").isNull();
            }
            token = response.getPage().getNextPageToken();
        } while (!token.isEmpty());
        return listed;
    }
}
