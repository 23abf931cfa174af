{{ undefined_thing.attribute }}
