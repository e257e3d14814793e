package io.ambo.node.fastpath;

import io.ambo.cluster.session.SessionKey;
import io.ambo.cluster.session.SessionRecord;
import io.ambo.node.packet.Checksum;
import io.ambo.node.sys.Bpf;
import io.ambo.node.sys.BpfObject.Member;
import io.ambo.node.sys.Errno;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;

/**
 * Translated sessions in the kernel: what becomes of the ends of their packets (maps translations4 and translations6, ambo.h). Each session has two entries,
 * that under its own ends for the original flow and that under those it is translated to for the reply flow. They count together with the session's entry in
 * the flow cache only, of the same incarnation. One for each thread; nothing here allocates but {@link #retain}.
 */
final class FlowTranslations {
    /** struct ambo_translation, and the two that begin with it. */
    private static final int CREATED = 0, SOURCE_PORT = 8, DESTINATION_PORT = 10, ADDRESSES = 12, ENDS = 14, WIRE_FROM = 16, FROM = 17,
            RESERVED = 18, SESSION = 24;
    static final int VALUE4_SIZE = SESSION + FlowKey.SIZE4 + 2 * 4, VALUE6_SIZE = SESSION + FlowKey.SIZE6 + 2 * 16;
    private static final int BATCH = 256;
    private static final ValueLayout.OfShort SHORT_BE = ValueLayout.JAVA_SHORT.withOrder(ByteOrder.BIG_ENDIAN);
    private static final ValueLayout.OfInt INT_BE = ValueLayout.JAVA_INT.withOrder(ByteOrder.BIG_ENDIAN);
    private static final ValueLayout.OfLong LONG_BE = ValueLayout.JAVA_LONG.withOrder(ByteOrder.BIG_ENDIAN);
    private static final long MAPPED_LOW = 0xFFFFL << 32;

    private final int map4;
    private final int map6;
    private final MemorySegment key = Arena.ofAuto().allocate(FlowKey.SIZE6, 8);
    private final MemorySegment value = Arena.ofAuto().allocate(VALUE6_SIZE, 8);
    private final SessionKey translated = new SessionKey();
    private final SessionKey of = new SessionKey();

    FlowTranslations(int map4, int map6) {
        this.map4 = map4;
        this.map6 = map6;
    }

    /** What C has to agree with, by struct. */
    static Map<String, List<Member>> layouts() {
        return Map.of("ambo_translation",
                List.of(new Member("created", CREATED), new Member("source_port", SOURCE_PORT),
                        new Member("destination_port", DESTINATION_PORT),
                        new Member("addresses", ADDRESSES), new Member("ends", ENDS), new Member("wire_from", WIRE_FROM),
                        new Member("from", FROM),
                        new Member("reserved", RESERVED)),
                "ambo_translation4", members(FlowKey.SIZE4, 4), "ambo_translation6", members(FlowKey.SIZE6, 16));
    }

    private static List<Member> members(int keySize, int addressSize) {
        int source = SESSION + keySize;
        return List.of(new Member("common", 0), new Member("session", SESSION), new Member("source", source),
                new Member("destination", source + addressSize));
    }

    /** Puts both entries of a translated session there. @return 0, or the negative errno: then neither is there */
    int install(SessionKey session, SessionRecord record) {
        remove(session);
        boolean originalIsHigh = record.has(SessionRecord.ORIGINAL_FROM_HIGH);
        boolean translatedIsHigh = record.writeTranslatedKey(session, translated);
        int result = put(session, originalIsHigh, translated, translatedIsHigh, session, record.created(), originalIsHigh);
        if (result == 0) result = put(translated, !translatedIsHigh, session, !originalIsHigh, session, record.created(), !originalIsHigh);
        if (result != 0) remove(session);
        return result;
    }

    /** Takes both entries of a session away, if they are there. */
    void remove(SessionKey session) {
        int map = map(session);
        if (!isOf(map, session, session)) return;
        int keySize = FlowKey.write(session, key, 0);
        readNewEnds(keySize, session.protocol(), session.routingZone());
        Bpf.delete(map, key);
        // Another session may have these ends by now.
        if (!isOf(map, translated, session)) return;
        FlowKey.write(translated, key, 0);
        Bpf.delete(map, key);
    }

    /** Takes away what no session of the flow cache needs: a process that was killed may have left it. @return entries */
    int retain(Predicate<SessionKey> needed) {
        return retain(map4, FlowKey.SIZE4, VALUE4_SIZE, needed) + retain(map6, FlowKey.SIZE6, VALUE6_SIZE, needed);
    }

    private int retain(int map, int keySize, int valueSize, Predicate<SessionKey> needed) {
        MemorySegment keys = Arena.ofAuto().allocate((long) BATCH * keySize, 8);
        MemorySegment values = Arena.ofAuto().allocate((long) BATCH * valueSize, 8);
        MemorySegment count = Arena.ofAuto().allocate(4, 4);
        MemorySegment place = Arena.ofAuto().allocate(FlowKey.SIZE6, 8);
        MemorySegment start = MemorySegment.NULL;
        int removed = 0;
        for (int result = 0; result == 0; start = place) {
            count.set(ValueLayout.JAVA_INT, 0, BATCH);
            result = Bpf.lookupBatch(map, start, place, keys, values, count);
            if (result != 0 && result != -Errno.ENOENT) break;
            for (int i = 0; i < count.get(ValueLayout.JAVA_INT, 0); i++) {
                FlowKey.read(values, (long) i * valueSize + SESSION, keySize, of);
                if (needed.test(of)) continue;
                Bpf.delete(map, keys.asSlice((long) i * keySize, keySize));
                removed++;
            }
        }
        return removed;
    }

    private int map(SessionKey session) { return FlowKey.isIpv4(session) ? map4 : map6; }

    /** Whether the entry under these ends is the session's; it is in {@link #value} then. */
    private boolean isOf(int map, SessionKey ends, SessionKey session) {
        int keySize = FlowKey.write(ends, key, 0);
        if (Bpf.lookup(map, key, value) != 0) return false;
        FlowKey.read(value, SESSION, keySize, of);
        return of.sameAs(session);
    }

    /** Makes {@link #translated} the key of the ends that the entry read last gives. */
    private void readNewEnds(int keySize, int protocol, int routingZone) {
        int source = SESSION + keySize;
        boolean ipv4 = keySize == FlowKey.SIZE4;
        int destination = source + (ipv4 ? 4 : 16);
        translated.set(ipv4 ? 0 : value.get(LONG_BE, source), low(source, ipv4), port(SOURCE_PORT),
                ipv4 ? 0 : value.get(LONG_BE, destination),
                low(destination, ipv4), port(DESTINATION_PORT), protocol, routingZone);
    }

    private long low(int at, boolean ipv4) {
        return ipv4 ? MAPPED_LOW | Integer.toUnsignedLong(value.get(INT_BE, at)) : value.get(LONG_BE, at + 8);
    }

    private int port(int at) { return Short.toUnsignedInt(value.get(SHORT_BE, at)); }

    /**
     * Writes one entry: a packet from one end of `wire` to the other leaves from one end of `after` to the other.
     *
     * @param wireIsHigh  it comes from the high end
     * @param afterIsHigh it leaves from the high end
     * @param from        its direction in the flow cache: 1 from the high end of the session's own key
     */
    private int put(SessionKey wire, boolean wireIsHigh, SessionKey after, boolean afterIsHigh, SessionKey session, long created,
            boolean from) {
        value.fill((byte) 0);
        value.set(ValueLayout.JAVA_LONG, CREATED, created);
        value.set(SHORT_BE, SOURCE_PORT, (short) after.port(afterIsHigh));
        value.set(SHORT_BE, DESTINATION_PORT, (short) after.port(!afterIsHigh));
        value.set(ValueLayout.JAVA_BYTE, WIRE_FROM, (byte) (wireIsHigh ? 1 : 0));
        value.set(ValueLayout.JAVA_BYTE, FROM, (byte) (from ? 1 : 0));
        int keySize = FlowKey.write(session, value, SESSION);
        boolean ipv4 = keySize == FlowKey.SIZE4;
        int source = SESSION + keySize;
        writeAddress(after, afterIsHigh, source, ipv4);
        writeAddress(after, !afterIsHigh, source + (ipv4 ? 4 : 16), ipv4);
        long addresses = change(wire, wireIsHigh, after, afterIsHigh, ipv4) + change(wire, !wireIsHigh, after, !afterIsHigh, ipv4);
        long ports = Checksum.change16(wire.port(true), after.port(true)) + Checksum.change16(wire.port(false), after.port(false));
        value.set(SHORT_BE, ADDRESSES, (short) Checksum.fold(addresses));
        value.set(SHORT_BE, ENDS, (short) Checksum.fold(addresses + ports));
        FlowKey.write(wire, key, 0);
        return Bpf.update(ipv4 ? map4 : map6, key, value, Bpf.ANY);
    }

    private void writeAddress(SessionKey ends, boolean ofHighEnd, int at, boolean ipv4) {
        if (ipv4) {
            value.set(INT_BE, at, (int) ends.addressLow(ofHighEnd));
            return;
        }
        value.set(LONG_BE, at, ends.addressHigh(ofHighEnd));
        value.set(LONG_BE, at + 8, ends.addressLow(ofHighEnd));
    }

    private static long change(SessionKey wire, boolean wireIsHigh, SessionKey after, boolean afterIsHigh, boolean ipv4) {
        long low = wire.addressLow(wireIsHigh);
        long afterLow = after.addressLow(afterIsHigh);
        if (ipv4) return Checksum.change32((int) low, (int) afterLow);
        return Checksum.change64(wire.addressHigh(wireIsHigh), after.addressHigh(afterIsHigh)) + Checksum.change64(low, afterLow);
    }
}
