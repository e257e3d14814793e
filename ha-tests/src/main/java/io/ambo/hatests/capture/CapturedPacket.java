package io.ambo.hatests.capture;

/**
 * One packet of a capture.
 *
 * @param number from 1, as Wireshark counts
 * @param timeNs nanoseconds since 1970
 * @param frame  from the Ethernet header on; a packet that was captured without one has one of zero addresses
 */
@SuppressWarnings("ArrayRecordComponent") // never compared
public record CapturedPacket(int number, long timeNs, byte[] frame) {}
