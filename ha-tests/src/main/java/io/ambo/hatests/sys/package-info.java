@NullMarked
package io.ambo.hatests.sys;

import org.jspecify.annotations.NullMarked;
