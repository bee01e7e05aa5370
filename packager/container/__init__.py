"""The syntax of the containers of feeds: packets and tables of MPEG-TS, tags of FLV."""
