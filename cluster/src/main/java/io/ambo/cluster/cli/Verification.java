package io.ambo.cluster.cli;

import com.google.protobuf.ByteString;
import io.ambo.cluster.address.IpAddress;
import io.ambo.cluster.session.Digest;
import io.ambo.cluster.session.SessionKey;
import io.ambo.cluster.session.SessionTable;
import io.ambo.proto.control.NodeAnswer;
import io.ambo.proto.control.Request;
import io.ambo.proto.control.Session;
import io.ambo.proto.control.SessionEnds;
import io.ambo.proto.control.SessionShow;
import io.ambo.proto.control.SessionState;
import io.ambo.proto.control.VerifyDigest;
import io.ambo.proto.control.VerifyDigestRequest;
import io.ambo.proto.control.VerifyLookupRequest;
import io.ambo.proto.control.VerifyPosition;
import io.ambo.proto.control.VerifyRecordsRequest;
import io.ambo.proto.control.VerifyRepairRequest;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * Compares the tables of all nodes while traffic runs.
 *
 * <pre>
 *   digests of all buckets --(none differs)--> equal
 *      | some differ
 *   hashes of the sessions in these --(all alike)--> equal
 *      | some are not, or not everywhere
 *   these sessions, from every node; half a second later again --(alike, or otherwise unlike than before)--> a delta was under way
 *      | unlike in the same way
 *   differences
 * </pre>
 *
 * In redirect mode a session is compared on its owner and its backup, since the other nodes are not to have it.
 *
 * <p>
 * Tombstones are no sessions: each node forgets them in its own time.
 */
final class Verification {
    /** Sessions whose hashes are held at once. */
    private static final int GROUP = 100_000;
    private static final int LOOKUP = 400;
    private static final int RECORD = SessionKey.SIZE + Long.BYTES;

    /** Asks all nodes; the answers of those that have one. */
    interface Nodes {
        List<NodeAnswer> ask(Request.Builder request);
    }

    /**
     * A session that is not the same everywhere.
     *
     * @param copies by node
     */
    record Difference(SessionEnds ends, Map<String, Copy> copies, int bucket) {
        /** Nodes that do not have it. */
        List<String> lacking() {
            return copies.entrySet().stream().filter(each -> !each.getValue().isLive()).map(Map.Entry::getKey).toList();
        }

        /** Fields that are not the same on all that have it, with the value on each. */
        Map<String, Map<String, String>> fields() {
            Map<String, Map<String, String>> fields = new LinkedHashMap<>();
            COMPARED.forEach((name, value) -> {
                Map<String, String> values = new LinkedHashMap<>();
                copies.forEach((node, copy) -> {
                    if (copy.session() != null && copy.isLive()) values.put(node, value.apply(copy.session()));
                });
                if (values.values().stream().distinct().count() > 1) fields.put(name, values);
            });
            return fields;
        }
    }

    /** What one node has. */
    record Copy(@Nullable Session session) {
        boolean isLive() { return session != null && session.getState() != SessionState.CLOSED; }

        String signature() {
            Session own = session;
            if (own == null || !isLive()) return "";
            StringBuilder signature = new StringBuilder();
            COMPARED.forEach((name, value) -> signature.append(value.apply(own)).append('|'));
            return signature.toString();
        }
    }

    /** What is compared of a session, in the words of {@code ambo sessions show}. */
    private static final Map<String, Function<Session, String>> COMPARED = compared();

    private final Nodes nodes;
    private final Consumer<String> progress;
    private final long settleMs;
    private Map<String, Digest> digests = Map.of();
    private BitSet differing = new BitSet();
    private long looked;

    /**
     * @param progress hears a sentence now and then
     * @param settleMs a delta is at most so long under way
     */
    Verification(Nodes nodes, Consumer<String> progress, long settleMs) {
        this.nodes = nodes;
        this.progress = progress;
        this.settleMs = settleMs;
    }

    /** The nodes whose digests came and whose gates are open, with their sessions. */
    Map<String, Digest> digests() { return digests; }

    /** Buckets whose digests were not equal at first sight. */
    int differingBuckets() { return differing.cardinality(); }

    /** Sessions that were looked at one by one. */
    long looked() { return looked; }

    /**
     * Takes the digests.
     *
     * @return nodes that are not compared since they are still joining, with how far they are
     */
    Map<String, String> begin() {
        digests = new LinkedHashMap<>();
        Map<String, String> joining = new LinkedHashMap<>();
        for (NodeAnswer answer : nodes.ask(Request.newBuilder().setVerifyDigest(VerifyDigestRequest.getDefaultInstance()))) {
            if (!answer.hasVerifyDigest()) continue;
            VerifyDigest digest = answer.getVerifyDigest();
            if (digest.getSumsCount() != SessionTable.BUCKETS || digest.getCountsCount() != SessionTable.BUCKETS)
                throw new CliException(ExitCode.NEGATIVE, answer.getNode() + " has other buckets than this command", "update it");
            if (digest.hasGate() && !digest.getGate().getOpen()) joining.put(answer.getNode(), StatusCommand.gateText(digest.getGate()));
            else
                digests.put(answer.getNode(), Digest.of(digest.getSumsList().stream().mapToLong(Long::longValue).toArray(),
                        digest.getCountsList().stream().mapToInt(Integer::intValue).toArray()));
        }
        differing = new BitSet();
        Digest first = digests.values().stream().findFirst().orElse(null);
        for (Digest other : digests.values())
            for (int bucket : other.differingBuckets(Objects.requireNonNull(first))) differing.set(bucket);
        return joining;
    }

    /** Looks into the buckets that differ. */
    List<Difference> differences() {
        List<Difference> found = new ArrayList<>();
        BitSet left = (BitSet) differing.clone();
        while (!left.isEmpty()) {
            BitSet group = takeGroup(left);
            progress.accept(differing.cardinality() - left.cardinality() + " of " + differing.cardinality()
                    + " differing buckets looked into, " + found.size() + " differences");
            found.addAll(lookTwice(unlike(group)));
        }
        return found;
    }

    /** Makes the nodes send the buckets of these sessions to each other. @return what still differs then */
    List<Difference> repair(List<Difference> differences) {
        BitSet buckets = new BitSet();
        differences.forEach(each -> buckets.set(each.bucket()));
        nodes.ask(Request.newBuilder()
                .setVerifyRepair(VerifyRepairRequest.newBuilder().setBuckets(ByteString.copyFrom(buckets.toByteArray()))));
        List<SessionEnds> left = differences.stream().map(Difference::ends).toList();
        List<Difference> remaining = List.of();
        for (int attempt = 0; attempt < 5; attempt++) {
            sleep(settleMs);
            remaining = lookTwice(left);
            if (remaining.isEmpty()) return remaining;
            left = remaining.stream().map(Difference::ends).toList();
            progress.accept(left.size() + " of " + differences.size() + " still differ");
        }
        return remaining;
    }

    /** As many buckets as together are small enough. */
    private BitSet takeGroup(BitSet from) {
        BitSet group = new BitSet();
        long sessions = 0;
        for (int bucket = from.nextSetBit(0); bucket >= 0; bucket = from.nextSetBit(bucket + 1)) {
            int of = bucket;
            sessions += digests.values().stream().mapToInt(digest -> digest.count(of)).max().orElse(0);
            if (sessions > GROUP && !group.isEmpty()) break;
            group.set(bucket);
            from.clear(bucket);
        }
        return group;
    }

    /** Sessions of these buckets that are not alike on all nodes, at first sight. */
    private List<SessionEnds> unlike(BitSet buckets) {
        Map<ByteBuffer, long[]> hashes = new HashMap<>();
        List<String> names = List.copyOf(digests.keySet());
        Map<String, Integer> slices = new HashMap<>();
        while (slices.values().stream().filter(slice -> slice == Integer.MAX_VALUE).count() < names.size()) {
            VerifyRecordsRequest.Builder request = VerifyRecordsRequest.newBuilder().setBuckets(ByteString.copyFrom(buckets.toByteArray()));
            slices.forEach((node, slice) -> request.addPositions(VerifyPosition.newBuilder().setNode(node).setSlice(slice)));
            List<NodeAnswer> answers = nodes.ask(Request.newBuilder().setVerifyRecords(request));
            for (int node = 0; node < names.size(); node++) {
                String name = names.get(node);
                NodeAnswer answer = answers.stream().filter(each -> each.getNode().equals(name) && each.hasVerifyRecords()).findFirst()
                        .orElseThrow(() -> new CliException(ExitCode.PARTIAL, name + " stopped answering", "run ambo status"));
                slices.put(name, answer.getVerifyRecords().getComplete() ? Integer.MAX_VALUE : answer.getVerifyRecords().getSlice());
                note(answer.getVerifyRecords().getRecords(), node, names.size(), hashes);
            }
        }
        looked += hashes.size();
        List<SessionEnds> unlike = new ArrayList<>();
        hashes.forEach((key, ofNodes) -> {
            for (long hash : ofNodes) {
                if (hash == ofNodes[0] && hash != 0) continue;
                unlike.add(ends(key));
                return;
            }
        });
        return unlike;
    }

    private static void note(ByteString records, int node, int nodes, Map<ByteBuffer, long[]> hashes) {
        ByteBuffer all = records.asReadOnlyByteBuffer();
        for (int at = 0; at + RECORD <= all.limit(); at += RECORD)
            hashes.computeIfAbsent(all.slice(at, SessionKey.SIZE), key -> new long[nodes])[node] = all.getLong(at + SessionKey.SIZE) | 1;
    }

    private List<Difference> lookTwice(List<SessionEnds> candidates) {
        if (candidates.isEmpty()) return List.of();
        List<Difference> first = look(candidates);
        if (first.isEmpty()) return first;
        sleep(settleMs);
        Map<SessionEnds, List<String>> before = new HashMap<>();
        for (Difference each : first) before.put(each.ends(), signatures(each));
        return look(first.stream().map(Difference::ends).toList()).stream()
                .filter(each -> signatures(each).equals(before.get(each.ends()))).toList();
    }

    private List<Difference> look(List<SessionEnds> candidates) {
        List<Difference> different = new ArrayList<>();
        for (int from = 0; from < candidates.size(); from += LOOKUP) {
            List<SessionEnds> part = candidates.subList(from, Math.min(from + LOOKUP, candidates.size()));
            List<NodeAnswer> answers = nodes.ask(Request.newBuilder().setVerifyLookup(VerifyLookupRequest.newBuilder().addAllEnds(part)))
                    .stream().filter(answer -> digests.containsKey(answer.getNode()) && answer.hasVerifyLookup()).toList();
            for (int i = 0; i < part.size(); i++) {
                Map<String, Copy> copies = new LinkedHashMap<>();
                for (NodeAnswer answer : answers) {
                    SessionShow show = i < answer.getVerifyLookup().getSessionsCount()
                            ? answer.getVerifyLookup().getSessions(i)
                            : SessionShow.getDefaultInstance();
                    copies.put(answer.getNode(), new Copy(show.hasSession() ? show.getSession() : null));
                }
                keepHomes(copies);
                Difference difference = new Difference(part.get(i), copies, bucket(part.get(i)));
                if (signatures(difference).stream().distinct().count() > 1) different.add(difference);
            }
        }
        return different;
    }

    /** Redirect mode: only the owner and the backup, as those that have the session name them, are to have it. */
    private static void keepHomes(Map<String, Copy> copies) {
        Set<String> homes = new HashSet<>();
        copies.values().forEach(copy -> {
            Session session = copy.session();
            if (session != null && copy.isLive() && !session.getBackup().isEmpty()) {
                homes.add(session.getOwner());
                homes.add(session.getBackup());
            }
        });
        if (!homes.isEmpty()) copies.keySet().retainAll(homes);
    }

    private static List<String> signatures(Difference of) { return of.copies().values().stream().map(Copy::signature).toList(); }

    private static SessionEnds ends(ByteBuffer bytes) {
        SessionKey key = new SessionKey(MemorySegment.ofBuffer(bytes), 0);
        return SessionEnds.newBuilder().setProtocol(key.protocol()).setSource(address(key, false)).setSourcePort(key.port(false))
                .setDestination(address(key, true)).setDestinationPort(key.port(true)).setRoutingZone(key.routingZone()).build();
    }

    private static ByteString address(SessionKey key, boolean high) {
        return ByteString.copyFrom(new IpAddress(key.addressHigh(high), key.addressLow(high)).toBytes());
    }

    private static int bucket(SessionEnds ends) {
        IpAddress source = Objects.requireNonNull(IpAddress.ofBytes(ends.getSource().toByteArray()));
        IpAddress destination = Objects.requireNonNull(IpAddress.ofBytes(ends.getDestination().toByteArray()));
        SessionKey key = new SessionKey();
        key.set(source.high(), source.low(), ends.getSourcePort(), destination.high(), destination.low(), ends.getDestinationPort(),
                ends.getProtocol(), ends.getRoutingZone());
        return SessionTable.bucket(key);
    }

    private static void sleep(long ms) {
        try {
            Thread.sleep(ms);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new CliException(ExitCode.NEGATIVE, "interrupted", "");
        }
    }

    private static Map<String, Function<Session, String>> compared() {
        Map<String, Function<Session, String>> compared = new LinkedHashMap<>();
        compared.put("state", session -> SessionText.word(session.getState()));
        compared.put("original", session -> SessionText.word(session.getOriginal().getState()));
        compared.put("reply", session -> SessionText.word(session.getReply().getState()));
        compared.put("incarnation",
                session -> Long.toUnsignedString(session.getCreated()) + "/" + session.getEpoch() + " of " + session.getCreator());
        compared.put("owner", Session::getOwner);
        compared.put("rule", Session::getRule);
        compared.put("zones", session -> session.getFromZone() + " -> " + session.getToZone());
        compared.put("direction", session -> SessionText.source(session.getEnds()) + " -> " + SessionText.destination(session.getEnds()));
        compared.put("translated", session -> session.hasTranslated()
                ? SessionText.source(session.getTranslated()) + " -> " + SessionText.destination(session.getTranslated())
                : "no");
        compared.put("mid-stream", session -> session.getMidStream() ? "yes" : "no");
        compared.put("reset-on-timeout", session -> session.getResetOnTimeout() ? "yes" : "no");
        return compared;
    }

    /** Sessions on the node that has most. */
    long sessions() { return digests.values().stream().mapToLong(Digest::count).max().orElse(0); }
}
