/** Packets that one member hands to another: Geneve over the sync link, authenticated. */
@NullMarked
package io.ambo.node.redirect;

import org.jspecify.annotations.NullMarked;
